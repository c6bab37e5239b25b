package lambda

import api "lambent.dev/lambent/internal/awsapi/lambda"

// Tenants of a function (https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html): one that isolates them is invoked with the id of one, and has
// environments that serve that tenant alone. Nothing is kept of a tenant but its environments.

// tenancy is what the API shows; nil for a function that does not tell its tenants apart.
func (v *version) tenancy() *api.TenancyConfig {
	if !v.Tenants {
		return nil
	}
	return &api.TenancyConfig{TenantIsolationMode: api.TenantIsolationModePerTenant}
}

// checkTenancy fails for what functions with tenants cannot have.
func (v *version) checkTenancy() error {
	switch {
	case v.Tenants && v.SnapStart:
		return invalid("SnapStart is not supported for functions with tenant isolation. Set SnapStart to None, or leave TenancyConfig out.")
	case v.Tenants && v.Capacity != nil:
		return invalid("CapacityProviderConfig is not supported for functions with tenant isolation: an environment would serve several tenants.")
	}
	return nil
}

// withoutTenants refuses a setting for functions with tenant isolation.
func (v *version) withoutTenants(what string) error {
	if !v.Tenants {
		return nil
	}
	return invalid("%s is not supported for functions with tenant isolation.", what)
}

// forTenant makes the call one for its tenant: only that tenant's environments serve it.
func (c *call) forTenant() error {
	switch {
	case c.version.Tenants && c.tenant == "":
		return invalid("The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again.")
	case !c.version.Tenants && c.tenant != "":
		return invalid("The invoked function is not enabled with tenancy configuration. Remove the tenant ID from your request and try again.")
	case c.tenant != "":
		s := *c.snapshot // others share it
		s.key.tenant = c.tenant
		c.snapshot = &s
	}
	return nil
}
