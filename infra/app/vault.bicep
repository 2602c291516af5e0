// The Key Vault: one secret for each app setting that must not be readable in the portal.

@minLength(3)
@maxLength(24)
@description('Name of the vault.')
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

@secure()
@description('App setting name to value; the secret has the name of the setting, with hyphens for underscores.')
param secrets object

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  // checkov:skip=CKV_AZURE_110: purge protection would hold the name for days after azd down, and every secret is a copy of one that its owner has
  // checkov:skip=CKV_AZURE_42: same
  // checkov:skip=CKV_AZURE_189: without the virtual network the instances have no fixed address to allow; entry is by Entra role only
  // checkov:skip=CKV_AZURE_109: same; with vnetEnabled the default action is Deny
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      defaultAction: publicNetworkAccess == 'Disabled' ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource values 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = [
  for secret in items(secrets): {
    // checkov:skip=CKV_AZURE_41: whoever issued the secret decides when it ends; docs/deploy.md says how to rotate it
    parent: vault
    name: replace(secret.key, '_', '-')
    properties: {
      value: secret.value
      contentType: 'text/plain'
    }
  }
]

@description('Name of the vault.')
output name string = vault.name

@description('Address of the vault, with a slash at the end.')
output uri string = vault.properties.vaultUri
