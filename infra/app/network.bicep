// The virtual network: a subnet that the instances run in, one that holds the private endpoints.

@description('Name of the virtual network.')
param name string

@description('Region.')
param location string

@description('Tags of the resource.')
param tags object

@description('Addresses of the network, /8 to /22; each subnet gets a /24 of it.')
param addressPrefix string

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '${parseCidr(addressPrefix).network}/${parseCidr(addressPrefix).cidr}'
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 1)
          // The way to Batch and to webhooks; newer versions of the API close it unless it is asked for.
          defaultOutboundAccess: true
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 2)
          defaultOutboundAccess: false
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }
}

@description('Resource id of the network.')
output id string = network.id

@description('Resource id of the subnet that the instances run in.')
output appSubnetId string = '${network.id}/subnets/app'

@description('Resource id of the subnet of the private endpoints.')
output endpointsSubnetId string = '${network.id}/subnets/private-endpoints'
