// Accounts in other resource groups and subscriptions, with producers and consumers.
using '../main.bicep'

param environmentName = 'task-deletion'
param location = 'northeurope'
param batchAccountIds = [
  '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-batch/providers/Microsoft.Batch/batchAccounts/render'
  '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-nightly/providers/Microsoft.Batch/batchAccounts/nightly'
  '/subscriptions/00000000-0000-4000-8000-0000000000bb/resourceGroups/rg-research/providers/Microsoft.Batch/batchAccounts/research'
]
param producers = [
  {
    id: '00000000-0000-4000-8000-000000000001'
    type: 'ServicePrincipal'
  }
  {
    id: '00000000-0000-4000-8000-000000000002'
    type: 'Group'
  }
]
param consumers = [
  {
    id: '00000000-0000-4000-8000-000000000003'
    type: 'ServicePrincipal'
  }
]
param deployerPrincipalId = '00000000-0000-4000-8000-000000000004'
param deployerPrincipalType = 'User'
param settingOverrides = {
  PROTECTED_JOBS: 'prod-*'
}
