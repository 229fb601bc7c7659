// The default deployment: only a Batch account is named.
using '../main.bicep'

param environmentName = 'task-deletion'
param location = 'westeurope'
param batchAccountIds = [
  '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-batch/providers/Microsoft.Batch/batchAccounts/render'
]
