# Deploys the compiled template of a release, azuredeploy.json, with the package that it names.
# The parameters are those of infra/main.bicep; docs/deploy.md explains them.

terraform {
  required_version = ">= 1.5"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }
}

variable "template_file" {
  description = "Path of azuredeploy.json: from a release, or `bicep build infra/main.bicep --outfile azuredeploy.json`."
  type        = string
}

variable "location" {
  description = "Region of the deployment and of all resources."
  type        = string
}

variable "environment_name" {
  description = "Name that the names of all resources are derived from."
  type        = string
}

variable "parameters" {
  description = "Further parameters of the template by name, such as { batchAccountIds = [azurerm_batch_account.render.id] }."
  type        = any
  default     = {}
}

locals {
  parameters = merge(var.parameters, { environmentName = var.environment_name, location = var.location })
}

resource "azurerm_subscription_template_deployment" "this" {
  name               = "batch-task-deletion-${var.environment_name}"
  location           = var.location
  template_content   = file(var.template_file)
  parameters_content = jsonencode({ for name, value in local.parameters : name => { value = value } })
}

output "outputs" {
  description = "The outputs of the template by name: FUNCTION_URL, REQUEST_QUEUE_URL and so on."
  value       = { for name, output in jsondecode(azurerm_subscription_template_deployment.this.output_content) : name => output.value }
}
