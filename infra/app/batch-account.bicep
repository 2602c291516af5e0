// The right to read one watched Batch account, deployed into that account's own resource group.

@description('Name of the Batch account.')
param name string

@description('Object id of the app identity.')
param principalId string

// Its only data action is Microsoft.Batch/*/read: the app can list and get, and change nothing.
var batchRoles = {
  'Azure Batch Account Reader': '11076f67-66f6-4be0-8f6b-f0609fd05cc9'
}

resource account 'Microsoft.Batch/batchAccounts@2024-07-01' existing = {
  name: name
}

resource onAccount 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in items(batchRoles): {
    // Azure refuses a second name for the same role, and ids may be spelt in two ways.
    name: guid(toLower(account.id), principalId, role.value)
    scope: account
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.value)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]
