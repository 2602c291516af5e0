// Private endpoints of blobs, queues, tables and the vault, each with the DNS zone that makes its name lead there.

@description('Region.')
param location string

@description('Tags of the resources.')
param tags object

@description('Resource id of the virtual network.')
param networkId string

@description('Resource id of the subnet that holds the endpoints.')
param subnetId string

@description('Name of the storage account.')
param storageName string

@description('Name of the Key Vault.')
param vaultName string

var storageSuffix = environment().suffixes.storage
var vaultSuffix = environment().suffixes.keyvaultDns
var targets = [
  { group: 'blob', zone: 'privatelink.blob.${storageSuffix}', resourceId: storage.id }
  { group: 'queue', zone: 'privatelink.queue.${storageSuffix}', resourceId: storage.id }
  { group: 'table', zone: 'privatelink.table.${storageSuffix}', resourceId: storage.id }
  { group: 'vault', zone: 'privatelink${replace(vaultSuffix, '.vault.', '.vaultcore.')}', resourceId: vault.id }
]

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for target in targets: {
    name: target.zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (target, i) in targets: {
    parent: zones[i]
    name: 'to-prepwatch'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: networkId
      }
    }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for target in targets: {
    name: 'pe-prepwatch-${target.group}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: target.group
          properties: {
            privateLinkServiceId: target.resourceId
            groupIds: [
              target.group
            ]
          }
        }
      ]
    }
  }
]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (target, i) in targets: {
    parent: endpoints[i]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: target.group
          properties: {
            privateDnsZoneId: zones[i].id
          }
        }
      ]
    }
  }
]
