package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/order"
)

// prefixList is a list of blocks, in all of its versions.
type prefixList struct {
	api.ManagedPrefixList
	// Entries are those of each version, from the first one on.
	Entries [][]api.PrefixListEntry
}

var prefixLists = kind[prefixList]{
	class: class{name: "prefix-list", prefix: "pl", absent: "InvalidPrefixListID.NotFound", malformed: "InvalidPrefixListId.Malformed", unknown: "The prefix list ID '%s' does not exist"},
	id:    func(p *prefixList) string { return *p.PrefixListId },
}

// gatewayServices are the services that have gateway endpoints, and a prefix list of AWS.
var gatewayServices = []string{"dynamodb", "s3"}

// knownPrefixLists are ids of AWS's lists that are the same in every account.
var knownPrefixLists = map[string]string{"us-east-1 s3": "pl-63a5400a", "us-east-1 dynamodb": "pl-02cd2c6b"}

// awsPrefixList returns the id of AWS's list for the service of a gateway endpoint, or for a name without the part before its last dot.
func awsPrefixList(region, service string) string {
	name := service[strings.LastIndexByte(service, '.')+1:]
	if id := knownPrefixLists[region+" "+name]; id != "" {
		return id
	}
	sum := sha256.Sum256([]byte(region + " " + name))
	return "pl-" + hex.EncodeToString(sum[:])[:8]
}

// awsPrefixLists are the lists of AWS in a region. Their blocks are for documentation (RFC 5737): what they stand for is on this machine.
func awsPrefixLists(region string) []prefixList {
	var out []prefixList
	for i, name := range gatewayServices {
		id := awsPrefixList(region, name)
		out = append(out, prefixList{
			ManagedPrefixList: api.ManagedPrefixList{
				PrefixListId: &id, PrefixListName: new("com.amazonaws." + region + "." + name), PrefixListArn: new(scope{"aws", region}.arn(prefixLists.name, id)), OwnerId: new("AWS"),
				AddressFamily: new("IPv4"), State: "create-complete", Version: new(int64(1)),
			},
			Entries: [][]api.PrefixListEntry{{{Cidr: new([]string{"203.0.113.0/24", "198.51.100.0/24"}[i])}}},
		})
	}
	return out
}

// prefixList returns a list of the account or of AWS.
func (v *view) prefixList(id string) (*prefixList, error) {
	for _, p := range awsPrefixLists(v.region) {
		if *p.PrefixListId == id {
			return &p, nil
		}
	}
	return get(v, &prefixLists, id)
}

// ownPrefixList is prefixList for calls that change one.
func (v *view) ownPrefixList(id string) (*prefixList, error) {
	p, err := v.prefixList(id)
	if err == nil && *p.OwnerId == "AWS" {
		err = refuse(codePermitted, "The prefix list '%s' is managed by AWS and cannot be changed.", id)
	}
	return p, err
}

func (v *view) somePrefixLists(ids []string) (out []prefixList, err error) {
	if len(ids) == 0 {
		out, err = all(v, &prefixLists)
		out = append(awsPrefixLists(v.region), out...)
		order.Sort(out, func(a, b prefixList) int { return strings.Compare(*a.PrefixListId, *b.PrefixListId) })
		return out, err
	}
	for _, id := range ids {
		p, err := v.prefixList(id)
		if err != nil {
			return nil, err
		}
		out = append(out, *p)
	}
	return out, nil
}

var managedListFields = fields[*api.ManagedPrefixList]{
	id:   func(p *api.ManagedPrefixList) *string { return p.PrefixListId },
	tags: func(p *api.ManagedPrefixList) []api.Tag { return p.Tags },
	values: map[string]func(*api.ManagedPrefixList) []string{
		"owner-id":         func(p *api.ManagedPrefixList) []string { return text(p.OwnerId) },
		"prefix-list-id":   func(p *api.ManagedPrefixList) []string { return text(p.PrefixListId) },
		"prefix-list-name": func(p *api.ManagedPrefixList) []string { return text(p.PrefixListName) },
	},
}

func showPrefixList(v *view, p *prefixList) (out api.ManagedPrefixList, err error) {
	out = p.ManagedPrefixList
	out.Tags, err = v.tagsOf(*p.PrefixListId)
	return out, err
}

func (s *Service) describeManagedPrefixLists(ctx context.Context, in *api.DescribeManagedPrefixListsInput) (*api.DescribeManagedPrefixListsOutput, error) {
	out := &api.DescribeManagedPrefixListsOutput{}
	return out, s.view(ctx, func(v *view) error {
		there, err := v.somePrefixLists(in.PrefixListIds)
		if err != nil {
			return err
		}
		var shapes []api.ManagedPrefixList
		for i := range there {
			a, err := showPrefixList(v, &there[i])
			if err != nil {
				return err
			}
			shapes = append(shapes, a)
		}
		out.PrefixLists, out.NextToken, err = choose(shapes, query{in.PrefixListIds, in.Filters, in.MaxResults, in.NextToken}, &managedListFields)
		return err
	})
}

var listFields = fields[*api.PrefixList]{
	id: func(p *api.PrefixList) *string { return p.PrefixListId },
	values: map[string]func(*api.PrefixList) []string{
		"prefix-list-id":   func(p *api.PrefixList) []string { return text(p.PrefixListId) },
		"prefix-list-name": func(p *api.PrefixList) []string { return text(p.PrefixListName) },
	},
}

// describePrefixLists answers the lists of AWS.
func (s *Service) describePrefixLists(ctx context.Context, in *api.DescribePrefixListsInput) (*api.DescribePrefixListsOutput, error) {
	out := &api.DescribePrefixListsOutput{}
	return out, s.view(ctx, func(v *view) error {
		there, err := v.somePrefixLists(in.PrefixListIds)
		if err != nil {
			return err
		}
		var shapes []api.PrefixList
		for _, p := range there {
			if *p.OwnerId == "AWS" {
				cidrs := each(p.Entries[len(p.Entries)-1], func(n *api.PrefixListEntry) []string { return text(n.Cidr) })
				shapes = append(shapes, api.PrefixList{PrefixListId: p.PrefixListId, PrefixListName: p.PrefixListName, Cidrs: cidrs})
			}
		}
		out.PrefixLists, out.NextToken, err = choose(shapes, query{in.PrefixListIds, in.Filters, in.MaxResults, in.NextToken}, &listFields)
		return err
	})
}

var listEntryFields = fields[*api.PrefixListEntry]{id: func(n *api.PrefixListEntry) *string { return n.Cidr }}

func (s *Service) getManagedPrefixListEntries(ctx context.Context, in *api.GetManagedPrefixListEntriesInput) (*api.GetManagedPrefixListEntriesOutput, error) {
	out := &api.GetManagedPrefixListEntriesOutput{}
	return out, s.view(ctx, func(v *view) error {
		p, err := v.prefixList(in.PrefixListId)
		if err != nil {
			return err
		}
		version := *p.Version
		if in.TargetVersion != nil {
			version = *in.TargetVersion
		}
		if version < 1 || version > int64(len(p.Entries)) {
			return refuse("InvalidPrefixListVersion.NotFound", "The prefix list '%s' has no version %d", in.PrefixListId, version)
		}
		entries := order.Sorted(p.Entries[version-1], func(a, b api.PrefixListEntry) int { return strings.Compare(*a.Cidr, *b.Cidr) })
		out.Entries, out.NextToken, err = choose(entries, query{max: in.MaxResults, token: in.NextToken}, &listEntryFields)
		return err
	})
}

func (s *Service) getManagedPrefixListAssociations(ctx context.Context, in *api.GetManagedPrefixListAssociationsInput) (*api.GetManagedPrefixListAssociationsOutput, error) {
	out := &api.GetManagedPrefixListAssociationsOutput{}
	return out, s.view(ctx, func(v *view) error {
		if _, err := v.prefixList(in.PrefixListId); err != nil {
			return err
		}
		there, err := v.prefixListUsers(in.PrefixListId)
		if err != nil {
			return err
		}
		var shapes []api.PrefixListAssociation
		for _, id := range there {
			shapes = append(shapes, api.PrefixListAssociation{ResourceId: &id, ResourceOwner: &v.account})
		}
		out.PrefixListAssociations, out.NextToken, err = choose(shapes, query{max: in.MaxResults, token: in.NextToken},
			&fields[*api.PrefixListAssociation]{id: func(a *api.PrefixListAssociation) *string { return a.ResourceId }})
		return err
	})
}

// prefixListUsers returns the ids of the route tables and groups that name a list.
func (v *view) prefixListUsers(id string) ([]string, error) {
	users, err := v.usersOf(id)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, u := range users {
		by := u.id
		if u.kind == rules.name {
			r, err := find(v, &rules, u.id)
			if err != nil || r == nil {
				return nil, err
			}
			by = *r.GroupId
		}
		if !slices.Contains(out, by) {
			out = append(out, by)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *Service) createManagedPrefixList(ctx context.Context, in *api.CreateManagedPrefixListInput) (*api.CreateManagedPrefixListOutput, error) {
	switch {
	case strings.HasPrefix(in.PrefixListName, "com.amazonaws"):
		return nil, invalid("Value (%s) for parameter prefixListName is invalid. Names must not begin with com.amazonaws", in.PrefixListName)
	case in.AddressFamily != "IPv4" && in.AddressFamily != "IPv6":
		return nil, invalid("Value (%s) for parameter addressFamily is invalid. Valid values: IPv4, IPv6", in.AddressFamily)
	case in.MaxEntries < 1 || in.MaxEntries > 1000:
		return nil, invalid("Value (%d) for parameter maxEntries is invalid. It must be between 1 and 1000", in.MaxEntries)
	}
	var out api.ManagedPrefixList
	return &api.CreateManagedPrefixListOutput{PrefixList: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := prefixLists.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			made = &prefixList{ManagedPrefixList: api.ManagedPrefixList{
				PrefixListId: &id, PrefixListName: &in.PrefixListName, PrefixListArn: new(e.arn(prefixLists.name, id)), OwnerId: &e.account, AddressFamily: &in.AddressFamily,
				MaxEntries: &in.MaxEntries, State: "create-complete", Version: new(int64(1)),
			}}
			entries, err := made.edited(nil, in.Entries, nil)
			if err != nil {
				return err
			}
			made.Entries = [][]api.PrefixListEntry{entries}
			if err := put(e, &prefixLists, made); err != nil {
				return err
			}
		}
		if err := e.specified(&prefixLists.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showPrefixList(e.view, made)
		out.State = "create-in-progress"
		return err
	})
}

// edited returns entries without some and with others, checked.
func (p *prefixList) edited(from []api.PrefixListEntry, add []api.AddPrefixListEntry, remove []api.RemovePrefixListEntry) ([]api.PrefixListEntry, error) {
	out := slices.Clone(from)
	for _, r := range remove {
		i := slices.IndexFunc(out, func(n api.PrefixListEntry) bool { return *n.Cidr == r.Cidr })
		if i < 0 {
			return nil, refuse("InvalidPrefixListModification", "The prefix list '%s' has no entry for %s", *p.PrefixListId, r.Cidr)
		}
		out = slices.Delete(out, i, i+1)
	}
	for _, a := range add {
		block, err := netip.ParsePrefix(a.Cidr)
		if err != nil || block.Addr().Is4() != (*p.AddressFamily == "IPv4") {
			return nil, invalid("Value (%s) for parameter cidr is invalid. It is not a CIDR block of the family %s", a.Cidr, *p.AddressFamily)
		}
		entry := api.PrefixListEntry{Cidr: new(block.Masked().String()), Description: a.Description}
		if i := slices.IndexFunc(out, func(n api.PrefixListEntry) bool { return *n.Cidr == *entry.Cidr }); i >= 0 {
			out[i] = entry
		} else {
			out = append(out, entry)
		}
	}
	if len(out) > int(*p.MaxEntries) {
		return nil, refuse("PrefixListMaxEntriesExceeded", "You've reached the maximum number of entries for the prefix list: %d", *p.MaxEntries)
	}
	return out, nil
}

func (s *Service) modifyManagedPrefixList(ctx context.Context, in *api.ModifyManagedPrefixListInput) (*api.ModifyManagedPrefixListOutput, error) {
	var out api.ManagedPrefixList
	return &api.ModifyManagedPrefixListOutput{PrefixList: &out}, s.changePrefixList(ctx, in.PrefixListId, &out, func(p *prefixList) error {
		content := len(in.AddEntries)+len(in.RemoveEntries) > 0
		switch {
		case content && in.MaxEntries != nil:
			return refuse(codeCombination, "You cannot modify the entries of a prefix list and its size at the same time")
		case content && in.CurrentVersion == nil:
			return missing("currentVersion")
		case in.CurrentVersion != nil && *in.CurrentVersion != *p.Version:
			return refuse("PrefixListVersionMismatch", "The prefix list has the version %d, and not %d", *p.Version, *in.CurrentVersion)
		}
		current := p.Entries[*p.Version-1]
		if in.PrefixListName != nil {
			p.PrefixListName = in.PrefixListName
		}
		if in.MaxEntries != nil {
			if int(*in.MaxEntries) < len(current) {
				return invalid("Value (%d) for parameter maxEntries is invalid. The prefix list has %d entries", *in.MaxEntries, len(current))
			}
			p.MaxEntries = in.MaxEntries
		}
		if !content {
			return nil
		}
		entries, err := p.edited(current, in.AddEntries, in.RemoveEntries)
		if err != nil {
			return err
		}
		p.Entries = append(p.Entries, entries)
		*p.Version++
		return nil
	}, "modify")
}

func (s *Service) restoreManagedPrefixListVersion(ctx context.Context, in *api.RestoreManagedPrefixListVersionInput) (*api.RestoreManagedPrefixListVersionOutput, error) {
	var out api.ManagedPrefixList
	return &api.RestoreManagedPrefixListVersionOutput{PrefixList: &out}, s.changePrefixList(ctx, in.PrefixListId, &out, func(p *prefixList) error {
		if in.CurrentVersion != *p.Version {
			return refuse("PrefixListVersionMismatch", "The prefix list has the version %d, and not %d", *p.Version, in.CurrentVersion)
		}
		if in.PreviousVersion < 1 || in.PreviousVersion > *p.Version {
			return refuse("InvalidPrefixListVersion.NotFound", "The prefix list '%s' has no version %d", in.PrefixListId, in.PreviousVersion)
		}
		p.Entries = append(p.Entries, p.Entries[in.PreviousVersion-1])
		*p.Version++
		return nil
	}, "restore")
}

// changePrefixList stores what fn makes of a list, and answers it in the state of doing so.
func (s *Service) changePrefixList(ctx context.Context, id string, out *api.ManagedPrefixList, fn func(p *prefixList) error, verb string) error {
	return s.update(ctx, func(e *edit) error {
		p, err := e.ownPrefixList(id)
		if err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
		p.State = verb + "-complete"
		if err := put(e, &prefixLists, p); err != nil {
			return err
		}
		*out, err = showPrefixList(e.view, p)
		out.State = verb + "-in-progress"
		return err
	})
}

func (s *Service) deleteManagedPrefixList(ctx context.Context, in *api.DeleteManagedPrefixListInput) (*api.DeleteManagedPrefixListOutput, error) {
	var out api.ManagedPrefixList
	return &api.DeleteManagedPrefixListOutput{PrefixList: &out}, s.update(ctx, func(e *edit) error {
		p, err := e.ownPrefixList(in.PrefixListId)
		if err != nil {
			return err
		}
		users, err := e.prefixListUsers(in.PrefixListId)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return refuse(codeDependency, "%s", fmt.Sprintf("The prefix list '%s' is in use by %s and cannot be deleted.", in.PrefixListId, strings.Join(users, ", ")))
		}
		if out, err = showPrefixList(e.view, p); err != nil {
			return err
		}
		out.State = "delete-in-progress"
		drop(e, &prefixLists, p)
		return nil
	})
}
