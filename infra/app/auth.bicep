// Easy Auth: the platform checks the caller's token before the app sees the call; the function key stays as a second lock.
// No client secret: calls bring their token, nobody signs in here.
param functionName string

@minLength(36)
param clientId string

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionName
}

resource auth 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      // The page has no data in it and brings the caller's token itself. The platform's own call after a deployment
      // bears a token that the host checks: https://github.com/Azure/azure-functions-core-tools/issues/4196
      excludedPaths: [
        '/admin/host/synctriggers'
        '/api/health'
        '/api/operations'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [
            clientId
            'api://${clientId}'
          ]
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}
