// A custom topic for CloudEvents, and a subscription that puts its events on the app's job-completion queue.
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
    // Every event on the queue starts a clean-up, so other events on a shared topic must not reach it.
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
