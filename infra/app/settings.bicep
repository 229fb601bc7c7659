// All app settings that the app reads, with their defaults, so that an operator sees in the portal what can be set.
import { RetentionPolicy, Settings } from 'types.bicep'

param functionName string
param storageAccountName string
param applicationInsightsName string
param identityClientId string

@description('URLs read from the accounts themselves.')
param readAccountUrls string[]

@description('URLs given by the deployer, used if none can be read.')
param namedAccountUrls string[]

param requestQueueName string
param jobCompletionQueueName string
param resultQueueName string
param requestTableName string
param deadLetterTableName string
param retentionPolicies RetentionPolicy[]
param telemetryEnabled bool
param overrides Settings

var batchAccountUrls = !empty(readAccountUrls) ? readAccountUrls : namedAccountUrls

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionName
}

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: storageAccountName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

// Both the name and the URIs: with only the URIs, the host sometimes starts without a storage client and then refuses
// every key (https://github.com/Azure/azure-functions-host/issues/11787); the name alone works only in the public cloud.
var platformSettings = {
  AzureWebJobsStorage__accountName: account.name
  AzureWebJobsStorage__blobServiceUri: account.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: account.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: account.properties.primaryEndpoints.table
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  PYTHON_THREADPOOL_THREAD_COUNT: '32'
  // For a larger body the host answers an empty 500, and the app never sees the call. The app's 413 starts at 4 MiB.
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '8388608'
}

// The app's spans and metrics. The package must include the library for them (scripts/package.py).
var telemetrySettings = telemetryEnabled
  ? {
      PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
      AzureFunctionsJobHost__telemetryMode: 'OpenTelemetry'
    }
  : {}

var appSettings = {
  TaskDeleteStorage__queueServiceUri: account.properties.primaryEndpoints.queue
  TaskDeleteStorage__tableServiceUri: account.properties.primaryEndpoints.table
  TaskDeleteStorage__credential: 'managedidentity'
  TaskDeleteStorage__clientId: identityClientId
  REQUEST_QUEUE_NAME: requestQueueName
  JOB_COMPLETION_QUEUE_NAME: jobCompletionQueueName
  RESULT_QUEUE_NAME: resultQueueName
  RESULT_MESSAGE_ENCODING: 'base64'
  REQUEST_TABLE_NAME: requestTableName
  DEAD_LETTER_TABLE_NAME: deadLetterTableName
  BATCH_ACCOUNT_URLS: join(batchAccountUrls, ',')
  BATCH_API_VERSION: '2024-07-01.20.0'
  BATCH_TOKEN_SCOPE: '${environment().batch}/.default'
  BATCH_CREDENTIAL: 'managed_identity'
  AZURE_CLIENT_ID: identityClientId
  BATCH_MAX_ATTEMPTS: '12'
  BATCH_RETRY_BASE_SECONDS: '5'
  BATCH_RETRY_MAX_SECONDS: '900'
  BATCH_MAX_CONCURRENCY: '32'
  PROTECTED_JOBS: ''
  JOB_COMPLETION_MAX_WAIT_DAYS: '7'
  REQUEST_RETENTION_DAYS: '15'
  DEAD_LETTER_RETENTION_DAYS: '90'
  RETENTION_POLICIES: string(retentionPolicies)
  RETENTION_INTERVAL_HOURS: '6'
  OPERATION_BUDGET_SECONDS: '90'
  STORAGE_TIMEOUT_SECONDS: '9'
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'appsettings'
  properties: union(platformSettings, telemetrySettings, appSettings, overrides)
}

output batchAccountUrls string[] = batchAccountUrls
