// A custom topic for CloudEvents, and its subscription that fills the app's job-completion queue.
// The account takes no keys, so Event Grid delivers with the topic's identity.
import { Tags } from 'types.bicep'

param topicName string
param location string = resourceGroup().location
param tags Tags = {}
param storageAccountName string
param jobCompletionQueueName string = 'job-completions'
@description('The `type` of the events that start clean-ups, as docs/samples/publish_job_completed.py gives it.')
param eventType string = 'Pipeline.JobCompleted'

var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: storageAccountName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
  }
}

resource sender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, topic.id, storageQueueDataMessageSender)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
    principalId: topic.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource subscription 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'task-deletion'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    // Whatever reaches the queue starts a clean-up, so nothing else of a topic that others use too may.
    filter: {
      includedEventTypes: [
        eventType
      ]
    }
    deliveryWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: account.id
          queueName: jobCompletionQueueName
          queueMessageTimeToLiveInSeconds: -1
        }
      }
    }
  }
  dependsOn: [
    sender
  ]
}

output endpoint string = topic.properties.endpoint
