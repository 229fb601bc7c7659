// Easy Auth: the platform checks the caller's token before the app sees the call; the function key is required as well.
// There is no client secret: callers send a token, and nobody signs in here.
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
      // The page contains no data, and its calls send the caller's token. The platform's call after a deployment has a
      // token that the host checks: https://github.com/Azure/azure-functions-core-tools/issues/4196
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
