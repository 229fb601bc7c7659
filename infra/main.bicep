// Everything that the app needs in a subscription; `azd up` deploys it (docs/deploy.md).
// There are only plain resources, no modules from a registry, so everything that is deployed can be read here.
targetScope = 'subscription'

import { AlertThresholds, AlwaysReady, Principal, RetentionPolicy, Settings, Tags } from 'app/types.bicep'

@minLength(1)
@maxLength(64)
@description('Name of the azd environment; the names of all resources are derived from it.')
param environmentName string

// `az functionapp list-flexconsumption-locations` prints the current list; a region that it names may be added here.
@allowed([
  'australiaeast'
  'australiasoutheast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'japaneast'
  'koreacentral'
  'northcentralus'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'southindia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'ukwest'
  'westcentralus'
  'westeurope'
  'westus'
  'westus2'
  'westus3'
])
@description('Region of all resources: one that offers Flex Consumption.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('Resource ids of the Batch accounts that the app may delete from; the first is the default. They may be in other resource groups and subscriptions.')
param batchAccountIds string[] = []

@description('True: the deployment assigns the app its role on each Batch account. False: an owner of the account does so, with the command from the outputs.')
param assignBatchRoles bool = true

@description('URLs of the Batch accounts, for a deployer without rights on them; the first is the default. Ignored if batchAccountIds names accounts, since their URLs are then read from them.')
param batchAccountUrls string[] = []

@description('Resource group to create. It must not be an existing one, because azd down deletes it. Empty: rg-<environmentName>.')
param resourceGroupName string = ''

@description('Tags of all resources, besides the one that azd needs.')
param resourceTags Tags = {}

@minLength(3)
@maxLength(56)
@description('Queue of the deletion requests. At most 56 characters: its poison queue adds 7.')
param requestQueueName string = 'task-delete-requests'

@minLength(3)
@maxLength(56)
@description('Queue of the job-completion events. At most 56 characters: its poison queue adds 7.')
param jobCompletionQueueName string = 'job-completions'

@minLength(3)
@maxLength(56)
@description('Queue of the results. At most 56 characters, like the others: a function that reads it needs a poison queue too.')
param resultQueueName string = 'task-delete-results'

@minLength(3)
@maxLength(63)
@description('Table with one row per client-request-id.')
param requestTableName string = 'taskdeletions'

@minLength(3)
@maxLength(63)
@description('Table of the dead letters: what could not be done, and why.')
param deadLetterTableName string = 'taskdeletiondeadletters'

@description('App settings whose values differ from the defaults in app/settings.bicep, by name. Not for queues, tables and the host\'s storage.')
param settingOverrides Settings = {}

@maxLength(50)
@description('Policies by which the app finds finished work itself, as in the app setting RETENTION_POLICIES.')
param retentionPolicies RetentionPolicy[] = []

@minValue(1)
@maxValue(1000)
@description('The most instances of each function group. Three groups call Batch, each process with up to 32 parallel calls per account.')
param maximumInstanceCount int = 40

@allowed([
  512
  2048
  4096
])
@description('Memory of one instance in MB.')
param instanceMemoryMB int = 2048

@description('Always-ready instances by group: {name, instanceCount}, where name is http or function:<name>.')
param alwaysReady AlwaysReady[] = []

@description('True: a virtual network, and storage that can be reached only from it, through private endpoints.')
param vnetEnabled bool = false

@description('Address space of the virtual network, with room for two subnets of 256 addresses.')
param vnetAddressPrefix string = '10.0.0.0/16'

@description('Existing subnet for the app: unused, and delegated to Microsoft.App/environments. Empty: one is created.')
param appSubnetId string = ''

@description('Existing subnet for the private endpoints, in the same network. Empty: one is created.')
param endpointSubnetId string = ''

@description('True: private DNS zones for the endpoints. False: the zones are managed elsewhere.')
param privateDnsZonesEnabled bool = true

@description('True: private endpoints for the Batch accounts too.')
param batchEndpointsEnabled bool = false

@description('True: a private endpoint for HTTP calls to the app.')
param appEndpointEnabled bool = false

@description('False: HTTP calls and deployments can reach the app only through its private endpoint.')
param appPublicAccess bool = true

@description('True: HTTP callers need a token from Microsoft Entra ID besides the function key.')
param entraAuthEnabled bool = false

@description('Application (client) id that the tokens of HTTP callers are issued for. Required with entraAuthEnabled.')
param entraClientId string = ''

@description('Who may put messages on the request and job-completion queues: {id, type}.')
param producers Principal[] = []

@description('Who may take messages from the result queue: {id, type}.')
param consumers Principal[] = []

@description('Object id of the deployer; azd sets it. Empty: the deployer gets no role.')
param deployerPrincipalId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
@description('Type of that principal; azd sets it.')
param deployerPrincipalType string = 'User'

@description('True: the deployer becomes a producer, so that a deployment can be checked with a message.')
param deployerIsProducer bool = true

@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
@description('Redundancy of the storage account. Use Standard_LRS if the region has no zones.')
param storageSku string = 'Standard_ZRS'

@description('True: all calls to the queues and tables are logged.')
param storageLogsEnabled bool = false

@minValue(30)
@maxValue(730)
@description('Days that logs are kept.')
param logRetentionDays int = 30

@minValue(0)
@description('Gigabytes a day after which nothing more is logged until the next day, so alerts stop too; 0: no limit.')
param logDailyCapGb int = 0

@description('True: the app sends spans and metrics. The package must be made with the same value (TELEMETRY_ENABLED).')
param telemetryEnabled bool = false

@description('Alert thresholds that differ from the defaults in app/alerts.bicep, by name.')
param alertThresholds AlertThresholds = {}

@description('Email address that alerts are sent to. Empty: alerts are only shown in the portal.')
param alertEmail string = ''

@description('True: the app\'s health check is called from three places every five minutes.')
param availabilityTestEnabled bool = false

@description('True: an Event Grid topic for job-completion events.')
param eventGridTopicEnabled bool = false

@description('Address of a package to deploy, for deployments without azd. Empty: the app is deployed afterwards.')
param packageUri string = ''

// Azure Batch Job Submitter: the narrowest built-in role with the data actions for jobs. There are no separate actions
// for tasks: https://learn.microsoft.com/azure/batch/batch-role-based-access-control
var batchRoleId = '48e5e92e-a480-4e71-aa9c-2778f4c13781'

var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var groupName = !empty(resourceGroupName) ? resourceGroupName : 'rg-${environmentName}'
var tags = union(resourceTags, {
  'azd-env-name': environmentName
})

// Rules that types cannot express: a parameter that breaks one ends the deployment before it creates anything.
var accountsNamed = !empty(batchAccountIds) || (!assignBatchRoles && !empty(batchAccountUrls))
var roleAccountIds = assignBatchRoles
  ? (accountsNamed ? batchAccountIds : fail('Name the Batch accounts: batchAccountIds (BATCH_ACCOUNT_IDS).'))
  : []
// Ids take precedence over URLs: azd keeps the output BATCH_ACCOUNT_URLS in the environment and passes it the next time.
var namedAccountUrls = accountsNamed
  ? batchAccountUrls
  : fail('Name the Batch accounts: batchAccountIds or batchAccountUrls.')
// A plain AzureWebJobsStorage, even empty, overrides the identity: https://github.com/Azure/azure-functions-host/issues/11796
var checkedOverrides = contains(settingOverrides, 'AzureWebJobsStorage') || contains(
    settingOverrides,
    'TaskDeleteStorage'
  )
  ? fail('settingOverrides must not name AzureWebJobsStorage or TaskDeleteStorage: a plain value would replace the identity.')
  : settingOverrides
var checkedClientId = entraAuthEnabled && empty(entraClientId)
  ? fail('entraAuthEnabled needs entraClientId (ENTRA_CLIENT_ID).')
  : entraClientId
var subnetsNamed = empty(appSubnetId) == empty(endpointSubnetId)
  ? !empty(appSubnetId)
  : bool(fail('Give both appSubnetId and endpointSubnetId, or neither.'))
var unnamedAccounts = assignBatchRoles
  ? []
  : (!empty(batchAccountIds) ? batchAccountIds : ['<resource id of the Batch account>'])

var deployers = deployerIsProducer && !empty(deployerPrincipalId)
  ? [
      {
        id: deployerPrincipalId
        type: deployerPrincipalType
      }
    ]
  : []

// The app uses only these three services of the account.
var storageServices = [
  'blob'
  'queue'
  'table'
]

// https://learn.microsoft.com/azure/private-link/private-endpoint-dns
var siteZones = {
  AzureChinaCloud: 'privatelink.chinacloudsites.cn'
  AzureCloud: 'privatelink.azurewebsites.net'
  AzureUSGovernment: 'privatelink.azurewebsites.us'
}
var batchZones = {
  AzureChinaCloud: 'privatelink.batch.chinacloudapi.cn'
  AzureCloud: 'privatelink.batch.azure.com'
  AzureUSGovernment: 'privatelink.batch.usgovcloudapi.net'
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
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
    retentionInDays: logRetentionDays
    dailyCapGb: logDailyCapGb
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
    logWorkspaceId: storageLogsEnabled ? monitoring.outputs.workspaceId : ''
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
    producers: union(producers, deployers)
    consumers: consumers
  }
}

// A resource id reads /subscriptions/<2>/resourceGroups/<4>/providers/Microsoft.Batch/batchAccounts/<8>.
module batchAccess 'app/batch-access.bicep' = [
  for (accountId, i) in roleAccountIds: {
    name: 'batch-access-${resourceToken}-${i}'
    scope: resourceGroup(split(accountId, '/')[2], split(accountId, '/')[4])
    params: {
      accountName: split(accountId, '/')[8]
      principalId: identity.outputs.principalId
      roleId: batchRoleId
    }
  }
]

module network 'app/network.bicep' = if (vnetEnabled && !subnetsNamed) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-${resourceToken}'
    location: location
    tags: tags
    addressPrefix: vnetAddressPrefix
  }
}

// One after the other: concurrent changes of one storage account fail with StorageAccountOperationInProgress.
@batchSize(1)
module storageEndpoints 'app/private-endpoints.bicep' = [
  for service in storageServices: if (vnetEnabled) {
    name: '${service}-endpoint'
    scope: group
    params: {
      name: 'pe-${resourceToken}-${service}'
      location: location
      tags: tags
      subnetId: subnetsNamed ? endpointSubnetId : network!.outputs.endpointSubnetId
      groupId: service
      resourceIds: [
        storage.outputs.id
      ]
      zoneName: 'privatelink.${service}.${environment().suffixes.storage}'
      zoneEnabled: privateDnsZonesEnabled
    }
  }
]

module batchEndpoints 'app/private-endpoints.bicep' = if (vnetEnabled && batchEndpointsEnabled) {
  name: 'batch-endpoints'
  scope: group
  params: {
    name: 'pe-${resourceToken}-batch'
    location: location
    tags: tags
    subnetId: subnetsNamed ? endpointSubnetId : network!.outputs.endpointSubnetId
    groupId: 'batchAccount'
    resourceIds: batchAccountIds
    zoneName: batchZones[environment().name]
    zoneEnabled: privateDnsZonesEnabled
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
    alwaysReady: alwaysReady
    publicAccess: appPublicAccess
    subnetId: vnetEnabled ? (subnetsNamed ? appSubnetId : network!.outputs.appSubnetId) : ''
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
    // From the accounts, not from batchAccess[i].outputs: that module does not run if an owner assigns the roles. (Azure
    // also refuses the outputs of modules in a loop that determines their scope: https://github.com/Azure/bicep/issues/4453.)
    readAccountUrls: [for accountId in batchAccountIds: 'https://${reference(accountId, '2025-06-01').accountEndpoint}']
    namedAccountUrls: namedAccountUrls
    requestQueueName: requestQueueName
    jobCompletionQueueName: jobCompletionQueueName
    resultQueueName: resultQueueName
    requestTableName: requestTableName
    deadLetterTableName: deadLetterTableName
    retentionPolicies: retentionPolicies
    telemetryEnabled: telemetryEnabled
    overrides: checkedOverrides
  }
  // A host that starts before it has access to its storage stops again.
  dependsOn: [
    roles
    storageEndpoints
  ]
}

module auth 'app/auth.bicep' = if (entraAuthEnabled) {
  name: 'auth'
  scope: group
  params: {
    functionName: functionApp.outputs.name
    clientId: checkedClientId
  }
  // One write to a site at a time: a second one is refused.
  dependsOn: [
    settings
  ]
}

module appEndpoint 'app/private-endpoints.bicep' = if (vnetEnabled && appEndpointEnabled) {
  name: 'app-endpoint'
  scope: group
  params: {
    name: 'pe-${resourceToken}-app'
    location: location
    tags: tags
    subnetId: subnetsNamed ? endpointSubnetId : network!.outputs.endpointSubnetId
    groupId: 'sites'
    resourceIds: [
      functionApp.outputs.id
    ]
    zoneName: siteZones[environment().name]
    zoneEnabled: privateDnsZonesEnabled
  }
  dependsOn: [
    settings
    auth
  ]
}

module package 'app/package.bicep' = if (!empty(packageUri)) {
  name: 'package'
  scope: group
  params: {
    functionName: functionApp.outputs.name
    packageUri: packageUri
  }
  dependsOn: [
    settings
    auth
    appEndpoint
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

module workbook 'app/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    // A workbook's name must be a GUID; the portal shows its display name.
    name: guid('workbook', resourceToken)
    displayName: 'Batch task deletion (${environmentName})'
    location: location
    tags: tags
    applicationInsightsId: monitoring.outputs.applicationInsightsId
  }
}

module availability 'app/availability.bicep' = if (availabilityTestEnabled) {
  name: 'availability'
  scope: group
  params: {
    name: 'health-${resourceToken}'
    location: location
    tags: tags
    applicationInsightsId: monitoring.outputs.applicationInsightsId
    healthUrl: '${functionApp.outputs.url}/api/health'
    actionGroupIds: alerts.outputs.actionGroupIds
  }
}

module eventGrid 'app/event-grid.bicep' = if (eventGridTopicEnabled) {
  name: 'event-grid'
  scope: group
  params: {
    topicName: 'evgt-${resourceToken}'
    location: location
    tags: tags
    storageAccountName: storage.outputs.name
    jobCompletionQueueName: jobCompletionQueueName
  }
}

// What callers and checks need. azd keeps outputs in the environment, in plain text, so none may be secret.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_NAME string = functionApp.outputs.name
output STORAGE_ACCOUNT_NAME string = storage.outputs.name
output APPLICATION_INSIGHTS_NAME string = monitoring.outputs.applicationInsightsName
output FUNCTION_URL string = functionApp.outputs.url
output HEALTH_URL string = '${functionApp.outputs.url}/api/health'
output TASK_DELETIONS_URL string = '${functionApp.outputs.url}/api/task-deletions'
output REQUEST_QUEUE_URL string = '${storage.outputs.queueUrl}${requestQueueName}'
output JOB_COMPLETION_QUEUE_URL string = '${storage.outputs.queueUrl}${jobCompletionQueueName}'
output RESULT_QUEUE_URL string = '${storage.outputs.queueUrl}${resultQueueName}'
output BATCH_ACCOUNT_URLS string[] = settings.outputs.batchAccountUrls
output BATCH_ROLE_COMMANDS string[] = [
  for accountId in unnamedAccounts: 'az role assignment create --assignee-object-id ${identity.outputs.principalId} --assignee-principal-type ServicePrincipal --role ${batchRoleId} --scope ${accountId}'
]
output EVENT_GRID_TOPIC_ENDPOINT string = eventGridTopicEnabled ? eventGrid!.outputs.endpoint : ''
