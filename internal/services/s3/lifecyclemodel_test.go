package s3

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/s3"
)

// modelVersion is a version as the model has it, modelUpload a multipart upload.
type modelVersion struct {
	id           string
	made, old    time.Time // old is when it became noncurrent
	size         int
	tagged, mark bool
}

type modelUpload struct {
	key, id string
	made    time.Time
}

// lifecycleModel says what a bucket with lifecycle rules must hold. A key's versions lie newest first.
type lifecycleModel struct {
	f         *fixture
	rnd       *rand.Rand
	versioned bool
	rules     []api.LifecycleRule
	keys      map[string][]*modelVersion
	uploads   []modelUpload
}

// modelDay is when an action after some days is due: at the first midnight that is later than those days.
func modelDay(from time.Time, days int32) time.Time {
	end := from.Add(time.Duration(days) * day)
	for at := from.Truncate(day); ; at = at.Add(day) {
		if at.After(end) {
			return at
		}
	}
}

// randomRules returns rules of every kind with every filter.
func (m *lifecycleModel) randomRules() (rules []api.LifecycleRule) {
	few := func() *int32 { return ptr(int32(1 + m.rnd.IntN(4))) }
	filters := []func() *api.LifecycleRuleFilter{
		func() *api.LifecycleRuleFilter { return &api.LifecycleRuleFilter{} },
		func() *api.LifecycleRuleFilter { return &api.LifecycleRuleFilter{Prefix: ptr("a/")} },
		func() *api.LifecycleRuleFilter {
			return &api.LifecycleRuleFilter{Tag: &api.Tag{Key: "temp", Value: "yes"}}
		},
		func() *api.LifecycleRuleFilter {
			return &api.LifecycleRuleFilter{ObjectSizeGreaterThan: ptr(int64(50))}
		},
		func() *api.LifecycleRuleFilter {
			return &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{Prefix: ptr("b/"), Tags: []api.Tag{{Key: "temp", Value: "yes"}}, ObjectSizeGreaterThan: ptr(int64(10))}}
		},
	}
	for i := range 2 + m.rnd.IntN(4) {
		r := api.LifecycleRule{ID: ptr(strconv.Itoa(i)), Status: "Enabled", Filter: filters[m.rnd.IntN(len(filters))]()}
		switch plain := r.Filter.Tag == nil && r.Filter.And == nil && r.Filter.ObjectSizeGreaterThan == nil; m.rnd.IntN(6) {
		case 0, 1:
			r.Expiration = &api.LifecycleExpiration{Days: few()}
		case 2:
			r.Expiration = &api.LifecycleExpiration{Date: ptr(m.f.clock.Now().Truncate(day).Add(time.Duration(m.rnd.IntN(8)) * day))}
		case 3:
			r.NoncurrentVersionExpiration = &api.NoncurrentVersionExpiration{NoncurrentDays: few()}
			if m.rnd.IntN(2) == 0 {
				r.NoncurrentVersionExpiration.NewerNoncurrentVersions = few()
			}
		case 4:
			if r.Expiration = (&api.LifecycleExpiration{ExpiredObjectDeleteMarker: ptr(true)}); !plain {
				r.Filter = &api.LifecycleRuleFilter{Prefix: ptr("a/")}
			}
		default:
			if r.AbortIncompleteMultipartUpload = (&api.AbortIncompleteMultipartUpload{DaysAfterInitiation: few()}); !plain {
				r.Filter = &api.LifecycleRuleFilter{Prefix: ptr("b/")}
			}
		}
		if m.rnd.IntN(8) == 0 {
			r.Status = "Disabled"
		}
		rules = append(rules, r)
	}
	return rules
}

// means tells whether a rule that is enabled is about a version of key. Tags and sizes are those of objects; a delete marker has none.
func (m *lifecycleModel) means(r *api.LifecycleRule, key string, v *modelVersion) bool {
	f := r.Filter
	prefix, tagged, larger := deref(f.Prefix), f.Tag != nil, f.ObjectSizeGreaterThan
	if f.And != nil {
		prefix, tagged, larger = deref(f.And.Prefix), true, f.And.ObjectSizeGreaterThan
	}
	return r.Status == "Enabled" && strings.HasPrefix(key, prefix) && (!tagged || v.tagged) && (larger == nil || int64(v.size) > *larger)
}

// act does something to the bucket and to the model.
func (m *lifecycleModel) act(t *testing.T) {
	t.Helper()
	key := []string{"a/", "b/", "c"}[m.rnd.IntN(3)] + strconv.Itoa(m.rnd.IntN(4))
	now := m.f.clock.Now()
	switch versions := m.keys[key]; m.rnd.IntN(8) {
	case 0:
		m.supersede(key, now)
		if out := m.f.remove(key, nil); m.versioned {
			m.keys[key] = slices.Insert(m.keys[key], 0, &modelVersion{id: *out.VersionId, made: now, mark: true})
		} else {
			delete(m.keys, key)
		}
	case 1:
		if m.versioned && len(versions) > 0 { // the newest or the oldest: what became noncurrent when is clear then
			i := m.rnd.IntN(2) * (len(versions) - 1)
			m.f.remove(key, ptr(versions[i].id))
			m.keys[key] = slices.Delete(versions, i, i+1)
		}
	case 2:
		up, err := m.f.createMultipartUpload(m.f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		m.uploads = append(m.uploads, modelUpload{key, *up.UploadId, now})
	default:
		v := &modelVersion{made: now, size: m.rnd.IntN(100), tagged: m.rnd.IntN(3) == 0}
		in := &api.PutObjectInput{Bucket: "pictures", Key: key, Body: strings.NewReader(strings.Repeat("x", v.size))}
		if v.tagged {
			in.Tagging = ptr("temp=yes&more=1")
		}
		out, err := m.f.putObject(m.f.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		m.supersede(key, now)
		if v.id = deref(out.VersionId); !m.versioned {
			m.keys[key] = nil
		}
		m.keys[key] = slices.Insert(m.keys[key], 0, v)
	}
}

// supersede notes that the newest version of a key, if there is one, becomes noncurrent.
func (m *lifecycleModel) supersede(key string, now time.Time) {
	if versions := m.keys[key]; len(versions) > 0 {
		versions[0].old = now
	}
}

// expire takes out of the model what the rules remove by now.
func (m *lifecycleModel) expire(now time.Time) {
	ends := func(key string, v *modelVersion) bool {
		return slices.ContainsFunc(m.rules, func(r api.LifecycleRule) bool {
			x := r.Expiration
			return x != nil && m.means(&r, key, v) && (x.Days != nil && !now.Before(modelDay(v.made, *x.Days)) || x.Date != nil && !now.Before(*x.Date))
		})
	}
	for key, versions := range m.keys {
		if len(versions) > 0 && !versions[0].mark && ends(key, versions[0]) {
			if m.versioned {
				versions[0].old = now
				versions = slices.Insert(versions, 0, &modelVersion{made: now, mark: true})
			} else {
				versions = nil
			}
		}
		kept := versions[:min(1, len(versions))]
		for i := 1; i < len(versions); i++ {
			v := versions[i]
			if !slices.ContainsFunc(m.rules, func(r api.LifecycleRule) bool {
				n := r.NoncurrentVersionExpiration
				return n != nil && m.means(&r, key, v) && !now.Before(modelDay(v.old, *n.NoncurrentDays)) && int32(i-1) >= deref(n.NewerNoncurrentVersions)
			}) {
				kept = append(slices.Clip(kept), v)
			}
		}
		if len(kept) == 1 && kept[0].mark && (ends(key, kept[0]) || slices.ContainsFunc(m.rules, func(r api.LifecycleRule) bool {
			return r.Expiration != nil && deref(r.Expiration.ExpiredObjectDeleteMarker) && m.means(&r, key, kept[0])
		})) {
			kept = nil
		}
		m.keys[key] = kept
	}
	m.uploads = slices.DeleteFunc(m.uploads, func(u modelUpload) bool {
		return slices.ContainsFunc(m.rules, func(r api.LifecycleRule) bool {
			a := r.AbortIncompleteMultipartUpload
			return a != nil && r.Status == "Enabled" && strings.HasPrefix(u.key, deref(r.Filter.Prefix)) && !now.Before(modelDay(u.made, *a.DaysAfterInitiation))
		})
	})
}

// compare compares the bucket with the model: versions, markers and uploads. Markers that a rule made get their ids.
func (m *lifecycleModel) compare(t *testing.T, when string) {
	t.Helper()
	got := map[string][]string{}
	for _, line := range m.f.history(1000) {
		part := strings.Fields(line)
		got[part[0]] = append(got[part[0]], part[1]+" "+part[3])
	}
	want := map[string][]string{}
	for key, versions := range m.keys {
		for _, v := range versions {
			if v.id == "" && m.versioned { // made by a rule: it is the one that the model does not know
				for _, line := range got[key] {
					if id := strings.Fields(line)[0]; !slices.ContainsFunc(versions, func(o *modelVersion) bool { return o.id == id }) {
						v.id = id
					}
				}
			}
			id := v.id
			if !m.versioned {
				id = nullID
			}
			want[key] = append(want[key], fmt.Sprint(id, " ", v.mark))
		}
		slices.Sort(want[key])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s, versions (-want +got):\n%s", when, diff)
	}
	out, err := m.f.listMultipartUploads(m.f.ctx(), &api.ListMultipartUploadsInput{Bucket: "pictures"})
	if err != nil {
		t.Fatal(err)
	}
	var uploads, wanted []string
	for _, u := range out.Uploads {
		uploads = append(uploads, *u.Key+" "+*u.UploadId)
	}
	for _, u := range m.uploads {
		wanted = append(wanted, u.key+" "+u.id)
	}
	slices.Sort(uploads)
	slices.Sort(wanted)
	if diff := cmp.Diff(wanted, uploads); diff != "" {
		t.Errorf("%s, uploads (-want +got):\n%s", when, diff)
	}
}

// TestLifecycleRemovesWhatAModelSays lives through days with random rules in buckets with and without versions: what the rules mean is gone at its midnight,
// and nothing else is.
func TestLifecycleRemovesWhatAModelSays(t *testing.T) {
	for seed := range uint64(40) {
		f := newFixture(t)
		m := &lifecycleModel{f: f, rnd: rand.New(rand.NewPCG(seed, 3)), versioned: seed%2 == 0, keys: map[string][]*modelVersion{}}
		if m.versioned {
			f.versioning(versioningEnabled)
		}
		m.rules = m.randomRules()
		code(t, f.rules(m.rules...), "")
		for hours := 0; hours < 9*24 && !t.Failed(); hours += 6 {
			for range m.rnd.IntN(8) {
				m.act(t)
			}
			f.clock.Advance(6 * time.Hour)
			f.midnight(0)
			m.expire(f.clock.Now())
			m.compare(t, fmt.Sprintf("seed %d after %d hours, rules %+v", seed, hours+6, m.rules))
		}
	}
}

// TestLifecycleRemovesLongHistories removes more old versions than one transaction holds.
func TestLifecycleRemovesLongHistories(t *testing.T) {
	f := newFixture(t)
	f.versioning(versioningEnabled)
	code(t, f.subscribe(lambdaRule("told", "", "", "s3:LifecycleExpiration:*")), "")
	const keys, versions = 2, 2200
	for i := range keys {
		for range versions {
			f.put(fmt.Sprintf("%02d", i)+strings.Repeat("k", 1000), nil)
		}
	}
	code(t, f.rules(api.LifecycleRule{
		Status: "Enabled", Filter: &api.LifecycleRuleFilter{},
		NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: ptr(int32(1)), NewerNoncurrentVersions: ptr(int32(2))},
	}), "")
	f.midnight(3)
	if left := len(f.history(1000)); left != 3*keys {
		t.Errorf("%d versions are left, want %d", left, 3*keys)
	}
}
