// Everything that the app needs in a subscription of its own choosing; `azd up` runs it (docs/deploy.md).
// Plain resources with pinned API versions, so that the files can be read and checked without a registry.
targetScope = 'subscription'

@minLength(1)
@maxLength(64)
@description('Name of the azd environment; the names of all resources are derived from it.')
param environmentName string

@minLength(1)
@description('Region of all resources. It must offer Flex Consumption.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@minLength(1)
@description('Resource ids of the Batch accounts that the app may delete from; the first is the default. They may lie in other resource groups.')
param batchAccountIds array

@description('Resource group to create; azd down deletes it, so never an existing one. Empty: rg-<environmentName>.')
param resourceGroupName string = ''

@description('Queue of the deletion requests. At most 56 characters: its poison queue adds 7.')
param requestQueueName string = 'task-delete-requests'

@description('Queue of the job-completion events. At most 56 characters: its poison queue adds 7.')
param jobCompletionQueueName string = 'job-completions'

@description('Queue of the results.')
param resultQueueName string = 'task-delete-results'

@description('Table with one row per client-request-id.')
param requestTableName string = 'taskdeletions'

@description('Table of what could not be done, with its reason.')
param deadLetterTableName string = 'taskdeletiondeadletters'

@description('App settings that shall differ from the defaults in app/settings.bicep, by name.')
param settingOverrides object = {}

@minValue(1)
@maxValue(1000)
@description('Most instances of each function group. Three of them call Batch, 32 calls at a time in each process and account.')
param maximumInstanceCount int = 40

@allowed([
  512
  2048
  4096
])
@description('Memory of one instance in MB.')
param instanceMemoryMB int = 2048

@description('True: a virtual network, and storage that answers in it alone, through private endpoints.')
param vnetEnabled bool = false

@description('True: HTTP callers need a token of Microsoft Entra ID besides the function key.')
param entraAuthEnabled bool = false

@description('Application (client) id that the tokens of HTTP callers are issued for. Required with entraAuthEnabled.')
param entraClientId string = ''

@description('Object ids that may put messages on the request and job-completion queues.')
param producerPrincipalIds array = []

@description('Object ids that may take messages from the result queue.')
param consumerPrincipalIds array = []

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
@description('Redundancy of the storage account. Standard_LRS where the region has no zones.')
param storageSku string = 'Standard_ZRS'

@description('Alert thresholds that shall differ from the defaults in app/alerts.bicep, by name.')
param alertThresholds object = {}

@description('Where alerts are sent. Empty: alerts show in the portal alone.')
param alertEmail string = ''

var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: !empty(resourceGroupName) ? resourceGroupName : 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'app/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${resourceToken}'
    location: location
    tags: tags
  }
}

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-${resourceToken}'
    applicationInsightsName: 'appi-${resourceToken}'
    location: location
    tags: tags
  }
}

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${resourceToken}'
    location: location
    tags: tags
    sku: storageSku
    publicAccess: !vnetEnabled
    queueNames: [
      requestQueueName
      '${requestQueueName}-poison'
      jobCompletionQueueName
      '${jobCompletionQueueName}-poison'
      resultQueueName
    ]
    tableNames: [
      requestTableName
      deadLetterTableName
    ]
  }
}

module roles 'app/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    storageAccountName: storage.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    principalId: identity.outputs.principalId
  }
}

module callers 'app/callers.bicep' = {
  name: 'callers'
  scope: group
  params: {
    storageAccountName: storage.outputs.name
    requestQueueName: requestQueueName
    jobCompletionQueueName: jobCompletionQueueName
    resultQueueName: resultQueueName
    producerPrincipalIds: producerPrincipalIds
    consumerPrincipalIds: consumerPrincipalIds
  }
}

// A resource id reads /subscriptions/<2>/resourceGroups/<4>/providers/Microsoft.Batch/batchAccounts/<8>.
module batchAccess 'app/batch-access.bicep' = [for (accountId, i) in batchAccountIds: {
  name: 'batch-access-${resourceToken}-${i}'
  scope: resourceGroup(split(accountId, '/')[2], split(accountId, '/')[4])
  params: {
    accountName: split(accountId, '/')[8]
    principalId: identity.outputs.principalId
  }
}]

module network 'app/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-${resourceToken}'
    location: location
    tags: tags
    storageAccountName: storage.outputs.name
  }
}

module functionApp 'app/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-${resourceToken}'
    planName: 'plan-${resourceToken}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    packageContainerUrl: storage.outputs.packageContainerUrl
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    subnetId: vnetEnabled ? network!.outputs.appSubnetId : ''
  }
}

module settings 'app/settings.bicep' = {
  name: 'settings'
  scope: group
  params: {
    functionName: functionApp.outputs.name
    storageAccountName: storage.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    identityClientId: identity.outputs.clientId
    // Not batchAccess[i].outputs.url: its scope depends on the loop, for which the compiler writes a copyIndex() without
    // a name here, and Azure refuses the whole template (https://github.com/Azure/bicep/issues/4453).
    batchAccountUrls: [for accountId in batchAccountIds: 'https://${reference(accountId, '2024-07-01').accountEndpoint}']
    requestQueueName: requestQueueName
    jobCompletionQueueName: jobCompletionQueueName
    resultQueueName: resultQueueName
    requestTableName: requestTableName
    deadLetterTableName: deadLetterTableName
    overrides: settingOverrides
  }
  // A host that starts before it may read its storage stops again.
  dependsOn: [
    roles
  ]
}

module auth 'app/auth.bicep' = if (entraAuthEnabled) {
  name: 'auth'
  scope: group
  params: {
    functionName: functionApp.outputs.name
    clientId: entraClientId
  }
  // Two writes to one site at the same time: the second is refused.
  dependsOn: [
    settings
  ]
}

module alerts 'app/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    prefix: 'alert-${resourceToken}'
    location: location
    tags: tags
    applicationInsightsId: monitoring.outputs.applicationInsightsId
    email: alertEmail
    overrides: alertThresholds
  }
}

// What smoke tests need; azd keeps them in the environment, in plain text, so nothing here may be secret.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_NAME string = functionApp.outputs.name
output FUNCTION_URL string = functionApp.outputs.url
output HEALTH_URL string = '${functionApp.outputs.url}/api/health'
output TASK_DELETIONS_URL string = '${functionApp.outputs.url}/api/task-deletions'
output REQUEST_QUEUE_URL string = '${storage.outputs.queueUrl}${requestQueueName}'
output JOB_COMPLETION_QUEUE_URL string = '${storage.outputs.queueUrl}${jobCompletionQueueName}'
output RESULT_QUEUE_URL string = '${storage.outputs.queueUrl}${resultQueueName}'
output BATCH_ACCOUNT_URLS array = [for (accountId, i) in batchAccountIds: batchAccess[i].outputs.url]
