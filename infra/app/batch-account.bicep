// One watched Batch account, deployed into that account's own resource group: its address, and the right to read it.

@description('Name of the Batch account.')
param name string

@description('Object id of the app identity.')
param principalId string

@description('Whether to assign the role.')
param assignRole bool

// Its only data action is Microsoft.Batch/*/read: the app can list and get, and change nothing.
var batchRoles = {
  'Azure Batch Account Reader': '11076f67-66f6-4be0-8f6b-f0609fd05cc9'
}

resource account 'Microsoft.Batch/batchAccounts@2024-07-01' existing = {
  name: name
}

resource onAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in (assignRole ? items(batchRoles) : []): {
    name: guid(account.id, principalId, role.value)
    scope: account
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

@description('Address of the account\'s data plane.')
output url string = 'https://${account.properties.accountEndpoint}'
