package apigatewayv2

import "lambent.dev/lambent/internal/store/key"

// scope is the account and region of a call.
type scope struct{ account, region string }

func (s scope) root(kind string) key.Key          { return key.New("apigatewayv2", s.account, s.region, kind) }
func (s scope) apis() key.Key                     { return s.root("a") }
func (s scope) api(id string) key.Key             { return s.apis().Str(id) }
func (s scope) stages(api string) key.Key         { return s.root("s").Str(api) }
func (s scope) stage(api, name string) key.Key    { return s.stages(api).Str(name) }
func (s scope) deployments(api string) key.Key    { return s.root("d").Str(api) }
func (s scope) deployment(api, id string) key.Key { return s.deployments(api).Str(id) }
func ownerKey(api string) key.Key                 { return scope{}.root("i").Str(api) }
