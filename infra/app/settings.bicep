// The app settings: every one that the app reads, with its default, so that an operator sees in the portal what there is.
param functionName string
param storageAccountName string
param applicationInsightsName string
param identityClientId string
param batchAccountUrls array
param requestQueueName string
param jobCompletionQueueName string
param resultQueueName string
param requestTableName string
param deadLetterTableName string
param overrides object

resource site 'Microsoft.Web/sites@2024-04-01' existing = {
  name: functionName
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

// Service URIs and not accountName: the latter is good for the public cloud alone.
var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: account.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: account.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: account.properties.primaryEndpoints.table
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  PYTHON_THREADPOOL_THREAD_COUNT: '32'
}

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
  BATCH_TOKEN_SCOPE: 'https://batch.core.windows.net//.default'
  BATCH_CREDENTIAL: 'managed_identity'
  AZURE_CLIENT_ID: identityClientId
  BATCH_MAX_ATTEMPTS: '12'
  BATCH_RETRY_BASE_SECONDS: '5'
  BATCH_RETRY_MAX_SECONDS: '900'
  BATCH_MAX_CONCURRENCY: '32'
  PROTECTED_JOBS: ''
  JOB_COMPLETION_MAX_WAIT_DAYS: '7'
  REQUEST_RETENTION_DAYS: '15'
  OPERATION_BUDGET_SECONDS: '90'
  STORAGE_TIMEOUT_SECONDS: '9'
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: site
  name: 'appsettings'
  properties: union(platformSettings, appSettings, overrides)
}
