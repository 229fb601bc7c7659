// The app's role on one Batch account, and the account's URL for the allow list.
param accountName string
param principalId string

// Azure Batch Job Submitter: the narrowest built-in role with the jobs data actions. There is no action for tasks
// alone: https://learn.microsoft.com/azure/batch/batch-role-based-access-control
var azureBatchJobSubmitter = '48e5e92e-a480-4e71-aa9c-2778f4c13781'

resource account 'Microsoft.Batch/batchAccounts@2024-07-01' existing = {
  name: accountName
}

resource submitter 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, azureBatchJobSubmitter)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', azureBatchJobSubmitter)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

output url string = 'https://${account.properties.accountEndpoint}'
