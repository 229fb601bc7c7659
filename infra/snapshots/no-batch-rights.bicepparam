// A deployer without rights on the Batch accounts.
using '../main.bicep'

param environmentName = 'task-deletion'
param location = 'westeurope'
param assignBatchRoles = false
param batchAccountUrls = [
  'https://render.westeurope.batch.azure.com'
  'https://research.northeurope.batch.azure.com'
]
