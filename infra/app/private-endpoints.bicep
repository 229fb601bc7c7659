// Private endpoints of one kind in one subnet, and the DNS zone that resolves names to them.
import { Tags } from 'types.bicep'

param name string
param location string
param tags Tags
param subnetId string
param groupId string
param resourceIds string[]
param zoneName string

@description('False: the zone and its records are managed elsewhere.')
param zoneEnabled bool

var networkId = split(subnetId, '/subnets/')[0]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = if (zoneEnabled) {
  name: zoneName
  location: 'global'
  tags: tags
}

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = if (zoneEnabled) {
  parent: zone
  name: last(split(networkId, '/'))
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}

@batchSize(1)
resource privateEndpoints 'Microsoft.Network/privateEndpoints@2026-03-01' = [
  for (resourceId, i) in resourceIds: {
    name: '${name}-${i}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: groupId
          properties: {
            privateLinkServiceId: resourceId
            groupIds: [
              groupId
            ]
          }
        }
      ]
    }
  }
]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2026-03-01' = [
  for (resourceId, i) in resourceIds: if (zoneEnabled) {
    parent: privateEndpoints[i]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: groupId
          properties: {
            privateDnsZoneId: zone.id
          }
        }
      ]
    }
  }
]
