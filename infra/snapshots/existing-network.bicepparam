// Subnets of an existing network, whose owner manages the DNS zones.
using '../main.bicep'

param environmentName = 'task-deletion'
param location = 'westeurope'
param batchAccountIds = [
  '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-batch/providers/Microsoft.Batch/batchAccounts/render'
]
param vnetEnabled = true
param appSubnetId = '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/task-deletion'
param endpointSubnetId = '/subscriptions/00000000-0000-4000-8000-0000000000aa/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints'
param privateDnsZonesEnabled = false
