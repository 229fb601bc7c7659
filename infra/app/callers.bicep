// Rights of producers and consumers: on the queues that they use, not on the account, which is also the host's.
import { Principal } from 'types.bicep'

param storageAccountName string
param requestQueueName string
param jobCompletionQueueName string
param resultQueueName string
param producers Principal[]
param consumers Principal[]

var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var storageQueueDataMessageProcessor = '8a0f0c08-91a1-4084-bc3d-661d67233fed'

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: storageAccountName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2026-06-01' existing = {
  parent: account
  name: 'default'
}

resource requestQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' existing = {
  parent: queueService
  name: requestQueueName
}

resource jobCompletionQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' existing = {
  parent: queueService
  name: jobCompletionQueueName
}

resource resultQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' existing = {
  parent: queueService
  name: resultQueueName
}

resource sendRequests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in producers: {
    name: guid(requestQueue.id, principal.id, storageQueueDataMessageSender)
    scope: requestQueue
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
      principalId: principal.id
      principalType: principal.type
    }
  }
]

resource sendEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in producers: {
    name: guid(jobCompletionQueue.id, principal.id, storageQueueDataMessageSender)
    scope: jobCompletionQueue
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
      principalId: principal.id
      principalType: principal.type
    }
  }
]

resource takeResults 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principal in consumers: {
    name: guid(resultQueue.id, principal.id, storageQueueDataMessageProcessor)
    scope: resultQueue
    properties: {
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        storageQueueDataMessageProcessor
      )
      principalId: principal.id
      principalType: principal.type
    }
  }
]
