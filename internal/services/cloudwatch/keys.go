package cloudwatch

import (
	"context"
	"crypto/sha256"
	"time"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// scope is the account and region of a call; every key begins with them.
type scope struct{ account, region string }

func scopeOf(ctx context.Context) scope {
	r := service.RequestFrom(ctx)
	return scope{r.Account, r.Region}
}

// inbox and standIns are what other services counted, of all accounts: the first in the order of its commits, the second by metric and minute.
func inbox() key.Key    { return key.New("cloudwatch.inbox") }
func standIns() key.Key { return key.New("cloudwatch.standin") }

func (s scope) inbox() key.Key { return inbox().Str(s.account).Str(s.region) }

func (s scope) standIn(d digest, unit string, minute time.Time) key.Key {
	return standIns().Str(s.account).Str(s.region).Int(minute.Unix()).Raw(d[:]).Str(unit)
}

func (s scope) root(kind string) key.Key { return key.New("cloudwatch", s.account, s.region, kind) }
func (s scope) metrics() key.Key         { return s.root("m") }
func (s scope) swept() key.Key           { return s.root("e") }
func (s scope) alarms() key.Key          { return s.root("a") }
func (s scope) dashboards() key.Key      { return s.root("b") }

func (s scope) alarm(name string) key.Key     { return s.alarms().Str(name) }
func (s scope) dashboard(name string) key.Key { return s.dashboards().Str(name) }

// evaluations are the names of the metric alarms of a cadence; evaluating tells that the timer of the cadence runs.
func (s scope) evaluations(cadence time.Duration) key.Key {
	return s.root("v").Int(int64(cadence))
}

func (s scope) evaluated(cadence time.Duration, name string) key.Key {
	return s.evaluations(cadence).Str(name)
}

func (s scope) evaluating(cadence time.Duration) key.Key { return s.root("t").Int(int64(cadence)) }

// watchers are the names of the alarms on a metric.
func (s scope) watchers(d digest) key.Key             { return s.root("w").Raw(d[:]) }
func (s scope) watcher(d digest, name string) key.Key { return s.watchers(d).Str(name) }

// parents are the names of the composite alarms whose rules name an alarm, and suppressed those whose actions it suppresses.
func (s scope) parents(child string) key.Key            { return s.root("c").Str(child) }
func (s scope) parent(child, name string) key.Key       { return s.parents(child).Str(name) }
func (s scope) suppressed(suppressor string) key.Key    { return s.root("s").Str(suppressor) }
func (s scope) suppresses(suppressor, n string) key.Key { return s.suppressed(suppressor).Str(n) }

// histories are the history items of an alarm; agedHistories are all of the account and region by time, without their content.
func (s scope) histories(name string) key.Key { return s.root("h").Str(name) }
func (s scope) agedHistories() key.Key        { return s.root("i") }

func (s scope) history(name string, at time.Time, kind, detail string) key.Key {
	return s.histories(name).Time(at).Str(kind).Str(detail)
}

func (s scope) agedHistory(name string, at time.Time, kind, detail string) key.Key {
	return s.agedHistories().Time(at).Str(name).Str(kind).Str(detail)
}

func (s scope) alarmARN(name string) string {
	return arn.New("cloudwatch", s.region, s.account, "alarm:"+name).String()
}

// dashboardARN names no region: an account's dashboards are the same in all.
func (s scope) dashboardARN(name string) string {
	return arn.New("cloudwatch", "", s.account, "dashboard/"+name).String()
}

func (s scope) metric(namespace, name string, d digest) key.Key {
	return s.metrics().Str(namespace).Str(name).Raw(d[:])
}

// points are those of a metric under a unit in a tier.
func (s scope) points(d digest, unit string, t tier) key.Key {
	return s.root("p").Raw(d[:]).Str(unit).Uint(uint64(t.period / time.Second))
}

func (s scope) point(d digest, unit string, t tier, at time.Time) key.Key {
	return s.points(d, unit, t).Int(at.Unix())
}

// digest stands for a namespace, a name and a set of dimensions.
type digest [16]byte

// digestOf returns the digest of a metric, whose dimensions are sorted.
func digestOf(namespace, name string, dimensions []meter.Dimension) (d digest) {
	k := key.New(namespace, name)
	for _, m := range dimensions {
		k = k.Str(m.Name).Str(m.Value)
	}
	sum := sha256.Sum256(k)
	copy(d[:], sum[:])
	return d
}
