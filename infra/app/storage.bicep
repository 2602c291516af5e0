// The storage account: the package and the host's leases in blobs, nudges in queues, the state in a table.

@minLength(3)
@maxLength(24)
@description('Name of the storage account: lower-case letters and digits.')
param name string

@description('Region.')
param location string

@description('Tags of the resource.')
param tags object

@allowed([
  'Enabled'
  'Disabled'
])
@description('Disabled when only private endpoints reach it.')
param publicNetworkAccess string

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  // checkov:skip=CKV_AZURE_206: locally redundant storage is enough: Batch still lists what a lost table knew, and zone redundancy is the region's choice
  // checkov:skip=CKV_AZURE_35: without the virtual network the instances have no fixed address to allow, and entry is by Entra role only; with vnetEnabled the default action is Deny
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      defaultAction: publicNetworkAccess == 'Disabled' ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: storage
  name: 'default'
}

resource package 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'app-package'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: storage
  name: 'default'
}

// The queue triggers wait for their queues, they do not create them.
resource nudges 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [
  for name in ['prepwatch-polls', 'prepwatch-deliveries']: {
    parent: queues
    name: name
  }
]

@description('Name of the storage account.')
output name string = storage.name
