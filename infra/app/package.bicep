// Deploys the app's package from an address, for deployments without azd.
param functionName string
param packageUri string

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionName
}

resource package 'Microsoft.Web/sites/extensions@2025-03-01' = {
  parent: site
  name: 'onedeploy'
  // The type declares no properties, but the platform accepts them: https://learn.microsoft.com/azure/azure-functions/functions-infrastructure-as-code
  #disable-next-line BCP187
  properties: {
    packageUri: packageUri
    remoteBuild: false
  }
}
