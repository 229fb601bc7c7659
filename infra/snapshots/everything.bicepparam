// Every switch is on, and all names are chosen by the deployer.
using '../main.bicep'

param environmentName = 'task-deletion'
param location = 'swedencentral'
param resourceGroupName = 'rg-cleaning'
param resourceTags = {
  costCentre: '4711'
}
param batchAccountIds = [
  '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-batch/providers/Microsoft.Batch/batchAccounts/render'
  '/subscriptions/00000000-0000-4000-8000-0000000000bb/resourceGroups/rg-research/providers/Microsoft.Batch/batchAccounts/research'
]
param requestQueueName = 'requests'
param jobCompletionQueueName = 'jobs-done'
param resultQueueName = 'results'
param requestTableName = 'requests'
param deadLetterTableName = 'deadletters'
param retentionPolicies = [
  {
    name: 'nightly'
    jobs: 'nightly-*'
    deleteAfter: {
      succeeded: 'P3D'
      failed: 'P7D'
    }
    dryRun: true
  }
]
param maximumInstanceCount = 100
param instanceMemoryMB = 4096
param alwaysReady = [
  {
    name: 'http'
    instanceCount: 1
  }
  {
    name: 'function:delete_tasks'
    instanceCount: 2
  }
]
param vnetEnabled = true
param vnetAddressPrefix = '10.20.0.0/20'
param batchEndpointsEnabled = true
param appEndpointEnabled = true
param appPublicAccess = false
param entraAuthEnabled = true
param entraClientId = '00000000-0000-4000-8000-000000000005'
param producers = [
  {
    id: '00000000-0000-4000-8000-000000000001'
    type: 'ServicePrincipal'
  }
]
param consumers = [
  {
    id: '00000000-0000-4000-8000-000000000003'
    type: 'ServicePrincipal'
  }
]
param deployerPrincipalId = '00000000-0000-4000-8000-000000000004'
param deployerPrincipalType = 'ServicePrincipal'
param storageLogsEnabled = true
param logRetentionDays = 90
param logDailyCapGb = 5
param telemetryEnabled = true
param alertThresholds = {
  requestAgeSeconds: 3600
}
param alertEmail = 'operators@example.com'
param availabilityTestEnabled = true
param eventGridTopicEnabled = true
param packageUri = 'https://example.com/app.zip'
