package apigatewayv2

import "lambent.dev/lambent/internal/store/key"

// root is the first element of this service's keys but for connections, which change much more often than what is compiled from the others.
const root = "apigatewayv2"

// scope is the account and region of a call.
type scope struct{ account, region string }

func (s scope) root(kind string) key.Key          { return key.New(root, s.account, s.region, kind) }
func (s scope) apis() key.Key                     { return s.root("a") }
func (s scope) api(id string) key.Key             { return s.apis().Str(id) }
func (s scope) stages(api string) key.Key         { return s.root("s").Str(api) }
func (s scope) stage(api, name string) key.Key    { return s.stages(api).Str(name) }
func (s scope) deployments(api string) key.Key    { return s.root("d").Str(api) }
func (s scope) deployment(api, id string) key.Key { return s.deployments(api).Str(id) }
func (s scope) links() key.Key                    { return s.root("v") }
func (s scope) link(id string) key.Key            { return s.links().Str(id) }
func ownerKey(api string) key.Key                 { return scope{}.root("i").Str(api) }
