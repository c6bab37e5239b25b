package apigateway

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of API keys, in characters (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html).
const (
	maxKeyName        = 1024
	maxKeyDescription = 125_000
	minKeyValue       = 20
	maxKeyValue       = 128
	// keyValue is how long a value is that API Gateway makes.
	keyValue = 40
)

// keyAlphabet is that of the values of API keys.
const keyAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func noKey() error { return notFound("Invalid API Key identifier specified") }

// keyView returns an API key as clients see it. Its value is shown to who made it and to who asks for it.
func keyView(k *api.APIKey, withValue bool) *aws.ApiKey {
	out := &aws.ApiKey{
		Id: ptr(k.ID), Name: optional(k.Name), CustomerId: k.CustomerID, Description: k.Description, Enabled: ptr(k.Enabled), CreatedDate: ptr(k.Created), LastUpdatedDate: ptr(k.Updated),
		StageKeys: k.Stages, Tags: k.Tags,
	}
	if out.StageKeys == nil {
		out.StageKeys = []string{}
	}
	if withValue {
		out.Value = ptr(k.Value)
	}
	return out
}

func checkKey(k *api.APIKey) error {
	switch {
	case len(k.Name) > maxKeyName:
		return badRequest("Invalid API Key name, can be at most %d characters.", maxKeyName)
	case len(text(k.Description)) > maxKeyDescription:
		return badRequest("Invalid API Key description specified.")
	case len(k.Value) < minKeyValue:
		return badRequest("API Key value should be at least %d characters", minKeyValue)
	case len(k.Value) > maxKeyValue:
		return badRequest("API Key value exceeds maximum size of %d characters", maxKeyValue)
	}
	return nil
}

// completeKey gives a key its id, and a value when it has none.
func (g *Gateway) completeKey(ctx context.Context, k *api.APIKey) (err error) {
	if k.ID, err = g.idFor(ctx, 10); err != nil {
		return err
	}
	if k.Value == "" {
		if k.Value, err = g.random(keyValue, keyAlphabet); err != nil {
			return err
		}
	}
	k.Created = g.deps.Clock.Now().UTC()
	k.Updated = k.Created
	return checkKey(k)
}

// insertKey stores a new key. Two keys cannot have one value.
func insertKey(tx store.Txn, s api.Scope, k *api.APIKey) error {
	taken, err := record.Has(tx, s.Value(k.Value))
	if err != nil {
		return err
	}
	if taken {
		return conflict("API Key already exists")
	}
	if err := record.Set(tx, s.Value(k.Value), k.ID); err != nil {
		return err
	}
	return record.Set(tx, s.APIKey(k.ID), *k)
}

func (g *Gateway) createKey(ctx context.Context, in *aws.CreateApiKeyInput) (*aws.CreateApiKeyOutput, error) {
	s := scopeOf(ctx)
	k := api.APIKey{Name: text(in.Name), Value: text(in.Value), CustomerID: in.CustomerId, Description: in.Description, Enabled: isTrue(in.Enabled), Tags: in.Tags}
	if err := g.completeKey(ctx, &k); err != nil {
		return nil, err
	}
	if in.GenerateDistinctId != nil && !*in.GenerateDistinctId && text(in.Value) != "" {
		k.ID = *in.Value
	}
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		k.Stages = nil
		for _, st := range in.StageKeys {
			there, err := record.Has(tx, s.Stage(text(st.RestApiId), text(st.StageName)))
			if err != nil {
				return err
			}
			if !there {
				return noStage()
			}
			k.Stages = append(k.Stages, *st.RestApiId+"/"+*st.StageName)
		}
		if made, ok, err := record.Get[api.APIKey](tx, s.APIKey(k.ID)); err != nil || ok && service.CreateToken(ctx) != "" {
			k = made // by an earlier try of the same call
			return err
		}
		return insertKey(tx, s, &k)
	})
	if err != nil {
		return nil, err
	}
	return keyView(&k, true), nil
}

// importKeys reads keys from CSV with a heading: name, key, description, enabled, usageplanIds
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html).
func (g *Gateway) importKeys(ctx context.Context, in *aws.ImportApiKeysInput) (*aws.ImportApiKeysOutput, error) {
	keys, plans, warnings, err := g.readKeys(ctx, string(in.Body))
	if err != nil {
		return nil, err
	}
	if len(warnings) > 0 && isTrue(in.FailOnWarnings) {
		return nil, badRequest("Warnings found during import:\n\t%s", strings.Join(warnings, "\n\t"))
	}
	s, out := scopeOf(ctx), &aws.ImportApiKeysOutput{Warnings: warnings}
	err = g.deps.Store.Update(ctx, func(tx store.Txn) error {
		out.Ids = []string{}
		for i := range keys {
			if err := insertKey(tx, s, &keys[i]); err != nil {
				return err
			}
			for _, plan := range plans[i] {
				if _, err := loadPlan(tx, s, plan); err != nil {
					return err
				}
				if err := joinPlan(tx, s, plan, keys[i].ID); err != nil {
					return err
				}
			}
			out.Ids = append(out.Ids, keys[i].ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// maxImported is how many keys an import takes.
const maxImported = 1000

func (g *Gateway) readKeys(ctx context.Context, body string) (keys []api.APIKey, plans [][]string, warnings []string, err error) {
	rows := csv.NewReader(strings.NewReader(body))
	rows.FieldsPerRecord, rows.TrimLeadingSpace = -1, true
	heading, err := rows.Read()
	if err != nil {
		return nil, nil, nil, badRequest("The file of API keys cannot be read: %v. It is CSV with a heading: name,key,description,enabled,usageplanIds.", err)
	}
	for i := range heading {
		heading[i] = strings.ToLower(strings.TrimSpace(heading[i]))
	}
	if !slices.Contains(heading, "key") || !slices.Contains(heading, "name") {
		return nil, nil, nil, badRequest("The heading of the file of API keys must have the columns name and key.")
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return keys, plans, warnings, nil
		}
		if err != nil || len(keys) == maxImported {
			return nil, nil, nil, badRequest("The file of API keys cannot be read: %v; at most %d keys are imported at once.", err, maxImported)
		}
		var k api.APIKey
		var in []string
		for i, column := range heading {
			if i >= len(row) {
				break
			}
			switch column {
			case "name":
				k.Name = row[i]
			case "key":
				k.Value = row[i]
			case "description":
				k.Description = optional(row[i])
			case "enabled":
				k.Enabled = strings.EqualFold(row[i], "true")
			case "usageplanids":
				in = strings.FieldsFunc(row[i], func(r rune) bool { return r == ',' || r == ' ' })
			default:
				warnings = append(warnings, "Unknown column "+column)
			}
		}
		if err := g.completeKey(ctx, &k); err != nil {
			return nil, nil, nil, err
		}
		keys, plans = append(keys, k), append(plans, in)
	}
}

func loadKey(r store.Reader, s api.Scope, id string) (api.APIKey, error) {
	k, ok, err := record.Get[api.APIKey](r, s.APIKey(id))
	if err == nil && !ok {
		err = noKey()
	}
	return k, err
}

func (g *Gateway) getKey(ctx context.Context, in *aws.GetApiKeyInput) (*aws.GetApiKeyOutput, error) {
	s := scopeOf(ctx)
	var k api.APIKey
	err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		k, err = loadKey(r, s, in.ApiKey)
		return err
	})
	if err != nil {
		return nil, err
	}
	return keyView(&k, isTrue(in.IncludeValue)), nil
}

func (g *Gateway) getKeys(ctx context.Context, in *aws.GetApiKeysInput) (*aws.GetApiKeysOutput, error) {
	s, out := scopeOf(ctx), &aws.GetApiKeysOutput{}
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[api.APIKey](r, s.APIKeys().Span())
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(k api.APIKey) bool {
			return in.NameQuery != nil && !strings.HasPrefix(k.Name, *in.NameQuery) || in.CustomerId != nil && text(k.CustomerID) != *in.CustomerId
		})
		var items []api.APIKey
		items, out.Position, err = page(all, func(k *api.APIKey) string { return newest(k.Created, k.ID) }, in.Position, in.Limit)
		out.Items = make([]aws.ApiKey, len(items))
		for i := range items {
			out.Items[i] = *keyView(&items[i], isTrue(in.IncludeValues))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var keyPatches = patch.Table[api.APIKey]{Wording: patch.Listed, Paths: []patch.Path[api.APIKey]{
	{Pattern: "/description", Ops: "replace", Apply: patch.Text(func(k *api.APIKey) **string { return &k.Description })},
	{Pattern: "/enabled", Ops: "replace", Apply: func(k *api.APIKey, e patch.Edit) error { k.Enabled = patch.IsTrue(e); return nil }},
	{Pattern: "/name", Ops: "replace", Apply: patch.Plain(func(k *api.APIKey) *string { return &k.Name })},
	{Pattern: "/customerId", Ops: "replace", Apply: patch.Text(func(k *api.APIKey) **string { return &k.CustomerID })},
	{Pattern: "/stages", Ops: "add,remove", Apply: patch.Set(func(k *api.APIKey) *[]string { return &k.Stages })},
}}

func (g *Gateway) updateKey(ctx context.Context, in *aws.UpdateApiKeyInput) (*aws.UpdateApiKeyOutput, error) {
	s := scopeOf(ctx)
	var k api.APIKey
	err := g.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
		if k, err = loadKey(tx, s, in.ApiKey); err != nil {
			return err
		}
		if err := keyPatches.Apply(&k, in.PatchOperations); err != nil {
			return err
		}
		k.Updated = g.deps.Clock.Now().UTC()
		if err := checkKey(&k); err != nil {
			return err
		}
		return record.Set(tx, s.APIKey(k.ID), k)
	})
	if err != nil {
		return nil, err
	}
	out := keyView(&k, false)
	out.Tags = shownTags(out.Tags)
	return out, nil
}

func (g *Gateway) deleteKey(ctx context.Context, in *aws.DeleteApiKeyInput) (*aws.DeleteApiKeyOutput, error) {
	s := scopeOf(ctx)
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		k, err := loadKey(tx, s, in.ApiKey)
		if err != nil {
			return err
		}
		for row, err := range record.Range[api.PlanKey](tx, s.KeyPlans(k.ID).Span()) {
			if err != nil {
				return err
			}
			quitPlan(tx, s, row.Value.Plan, k.ID)
		}
		tx.Delete(s.APIKey(k.ID))
		tx.Delete(s.Value(k.Value))
		return nil
	})
	return &aws.DeleteApiKeyOutput{}, err
}
