package s3

import (
	"context"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// lensMetric is a metric of the glossary: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage_lens_metrics_glossary.html.
type lensMetric int

// What is counted of the objects of one storage class.
const (
	lensBytes lensMetric = iota
	lensObjects
	lensCurrentBytes
	lensCurrentObjects
	lensOldBytes
	lensOldObjects
	lensMarkerBytes
	lensMarkers
	lensSealedBytes
	lensSealedObjects
	lensPlainBytes
	lensPlainObjects
	lensCopiedBytes
	lensCopiedObjects
	lensReplicaBytes
	lensReplicas
	lensLockedBytes
	lensLockedObjects
	lensUploadBytes
	lensUploads
	lensStaleBytes
	lensStaleUploads
	lensStorageMetrics
)

var lensStorageNames = [lensStorageMetrics]string{
	"StorageBytes", "ObjectCount", "CurrentVersionStorageBytes", "CurrentVersionObjectCount", "NonCurrentVersionStorageBytes", "NonCurrentVersionObjectCount",
	"DeleteMarkerStorageBytes", "DeleteMarkerObjectCount", "EncryptedStorageBytes", "EncryptedObjectCount", "UnencryptedStorageBytes", "UnencryptedObjectCount",
	"ReplicatedStorageBytesSource", "ReplicatedObjectCountSource", "ReplicatedStorageBytes", "ReplicatedObjectCount", "ObjectLockEnabledStorageBytes", "ObjectLockEnabledObjectCount",
	"IncompleteMultipartUploadStorageBytes", "IncompleteMultipartUploadObjectCount", "IncompleteMPUStorageBytesOlderThan7Days", "IncompleteMPUObjectCountOlderThan7Days",
}

// lensStale is the age beyond which an unfinished upload is counted as an old one.
const lensStale = 7 * day

// lensStorage holds numbers by metric.
type lensStorage [lensStorageMetrics]int64

// lensClasses holds what is counted by storage class.
type lensClasses map[string]*lensStorage

func (c lensClasses) of(class string) *lensStorage {
	class = classOf(class)
	if c[class] == nil {
		c[class] = &lensStorage{}
	}
	return c[class]
}

// add adds all of o.
func (c lensClasses) add(o lensClasses) {
	for class, numbers := range o {
		to := c.of(class)
		for i, n := range numbers {
			to[i] += n
		}
	}
}

// bytes is the storage of all classes together.
func (c lensClasses) bytes() (n int64) {
	for _, numbers := range c {
		n += numbers[lensBytes]
	}
	return n
}

// count adds one thing of a size to a pair of metrics, of bytes and of objects.
func (n *lensStorage) count(bytes, objects lensMetric, size int64) {
	n[bytes] += size
	n[objects]++
}

// stored adds one thing that takes storage.
func (n *lensStorage) stored(size int64, sealed bool) {
	n.count(lensBytes, lensObjects, size)
	if sealed {
		n.count(lensSealedBytes, lensSealedObjects, size)
	} else {
		n.count(lensPlainBytes, lensPlainObjects, size)
	}
}

// version adds a version of an object; current tells that reads without an id get it. A delete marker takes as much storage as its key has bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html).
func (c lensClasses) version(object string, v *version, current bool) {
	n := c.of(v.Class)
	if v.Marker {
		size := int64(len(object))
		n.stored(size, false)
		n.count(lensMarkerBytes, lensMarkers, size)
		return
	}
	n.stored(v.Size, v.Seal != nil)
	if current {
		n.count(lensCurrentBytes, lensCurrentObjects, v.Size)
	} else {
		n.count(lensOldBytes, lensOldObjects, v.Size)
	}
	switch v.Replication {
	case replicaCompleted:
		n.count(lensCopiedBytes, lensCopiedObjects, v.Size)
	case replica:
		n.count(lensReplicaBytes, lensReplicas, v.Size)
	}
	if !v.Lock.IsZero() {
		n.count(lensLockedBytes, lensLockedObjects, v.Size)
	}
}

// lensBucketCount is what one bucket holds.
type lensBucketCount struct {
	classes lensClasses
	// groups are those of the configuration, in its order.
	groups   []lensClasses
	prefixes *lensPrefixCount
}

// countLens counts what a bucket holds. The rows of a key's versions begin with the newest, so that the first of them is the current one.
func (s *Service) countLens(ctx context.Context, b *bucket, run *lensRun) (*lensBucketCount, error) {
	out := &lensBucketCount{classes: lensClasses{}, groups: make([]lensClasses, len(run.groups))}
	for i := range out.groups {
		out.groups[i] = lensClasses{}
	}
	if by, ok := lensPrefixesOf(run.c); ok {
		out.prefixes = &lensPrefixCount{by: by}
	}
	last, first := "", true
	look := func(object string, _ *key.Decoder, value []byte) error {
		v, err := decodeVersion(value)
		if err != nil {
			return err
		}
		current := first || object != last
		last, first = object, false
		out.classes.version(object, v, current)
		for i := range run.groups {
			if lensMatches(&run.groups[i].Filter, object, v, run.now) {
				out.groups[i].version(object, v, current)
			}
		}
		if out.prefixes != nil {
			out.prefixes.version(object, v, current)
		}
		return nil
	}
	if err := s.walk(ctx, b, "ver", "", look, func() error { return nil }); err != nil {
		return nil, err
	}
	return out, s.countLensUploads(ctx, b, run.now, out.classes)
}

// countLensUploads adds the unfinished uploads of a bucket, with the parts that they have.
func (s *Service) countLensUploads(ctx context.Context, b *bucket, now time.Time, classes lensClasses) error {
	var found []upload
	look := func(_ string, d *key.Decoder, value []byte) error {
		var u upload
		_, err := decodeRow(value, &u)
		u.ID = d.Str()
		found = append(found, u)
		return err
	}
	return s.walk(ctx, b, "up", "", look, func() error {
		for _, u := range found {
			size, err := s.partBytes(ctx, b, u.ID)
			if err != nil {
				return err
			}
			n := classes.of(u.Class)
			n.stored(size, u.Seal != nil)
			n.count(lensUploadBytes, lensUploads, size)
			if now.Sub(u.Initiated) > lensStale {
				n.count(lensStaleBytes, lensStaleUploads, size)
			}
		}
		found = found[:0]
		return nil
	})
}

// partBytes is how many bytes the parts of an upload have.
func (s *Service) partBytes(ctx context.Context, b *bucket, id string) (n int64, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		n = 0
		for row, err := range r.Range(b.partsKey(id).Span()) {
			if err != nil {
				return err
			}
			var p part
			if _, err := decodeRow(row.Value, &p); err != nil {
				return err
			}
			n += p.Size
		}
		return nil
	})
	return n, err
}

// lensPrefix is what is below a prefix.
type lensPrefix struct {
	prefix  string
	classes lensClasses
}

// lensPrefixCount counts by prefix what comes in the order of its keys, so that it holds only the prefixes of the key at hand and those that hold enough of the bucket.
type lensPrefixCount struct {
	by         lensPrefixes
	total      int64
	open, done []lensPrefix
}

// maxLensPrefixes is how many prefixes are kept before those that hold too little meanwhile are let go.
const maxLensPrefixes = 4000

func (p *lensPrefixCount) version(object string, v *version, current bool) {
	level, at := 0, 0
	for level < p.by.depth {
		i := strings.Index(object[at:], p.by.delimiter)
		if i < 0 {
			break
		}
		at += i + len(p.by.delimiter)
		if level == len(p.open) || p.open[level].prefix != object[:at] {
			p.shut(level)
			p.open = append(p.open, lensPrefix{object[:at], lensClasses{}})
		}
		level++
	}
	p.shut(level)
	size := v.Size
	if v.Marker {
		size = int64(len(object))
	}
	p.total += size
	for i := range p.open {
		p.open[i].classes.version(object, v, current)
	}
}

// shut ends the prefixes from a level on. The whole only grows, so that one which holds too little of it now will not hold enough later.
func (p *lensPrefixCount) shut(level int) {
	for _, of := range p.open[level:] {
		if p.enough(of) {
			p.done = append(p.done, of)
		}
	}
	p.open = p.open[:level]
	if len(p.done) > maxLensPrefixes {
		p.done = slices.DeleteFunc(p.done, func(of lensPrefix) bool { return !p.enough(of) })
	}
}

func (p *lensPrefixCount) enough(of lensPrefix) bool {
	held := of.classes.bytes()
	return held > 0 && float64(held)*100 >= p.by.least*float64(p.total)
}

// all returns the prefixes that hold enough of the bucket, in the order of their names.
func (p *lensPrefixCount) all() []lensPrefix {
	p.shut(0)
	out := slices.DeleteFunc(p.done, func(of lensPrefix) bool { return !p.enough(of) })
	slices.SortFunc(out, func(x, y lensPrefix) int { return strings.Compare(x.prefix, y.prefix) })
	return out
}

// lensProperty is a metric about buckets, not about what they hold.
type lensProperty int

const (
	lensVersioned lensProperty = iota
	lensMFADelete
	lensKMS
	lensEnforced
	lensPreferred
	lensWriter
	lensAccelerated
	lensNotifies
	// From here on they are the advanced ones about cost.
	lensTransitions
	lensExpirations
	lensOldTransitions
	lensOldExpirations
	lensAborts
	lensMarkerRules
	lensRules
	// From here on they are the advanced ones about the protection of data.
	lensSameRegion
	lensCrossRegion
	lensSameAccount
	lensCrossAccount
	lensNowhere
	lensPropertyMetrics
)

var lensPropertyNames = [lensPropertyMetrics]string{
	"VersioningEnabledBucketCount", "MFADeleteEnabledBucketCount", "SSEKMSEnabledBucketCount",
	"ObjectOwnershipBucketOwnerEnforcedBucketCount", "ObjectOwnershipBucketOwnerPreferredBucketCount", "ObjectOwnershipObjectWriterBucketCount",
	"TransferAccelerationEnabledBucketCount", "EventNotificationEnabledBucketCount",
	"TransitionLifecycleRuleCount", "ExpirationLifecycleRuleCount", "NoncurrentVersionTransitionLifecycleRuleCount", "NoncurrentVersionExpirationLifecycleRuleCount",
	"AbortIncompleteMPULifecycleRuleCount", "ExpiredObjectDeleteMarkerLifecycleRuleCount", "TotalLifecycleRuleCount",
	"SameRegionReplicationRuleCount", "CrossRegionReplicationRuleCount", "SameAccountReplicationRuleCount", "CrossAccountReplicationRuleCount", "InvalidDestinationReplicationRuleCount",
}

// lensProperties holds numbers by metric.
type lensProperties [lensPropertyMetrics]int64

func (p *lensProperties) is(m lensProperty, holds bool) {
	if holds {
		p[m]++
	}
}

// lensPropertiesOf counts the settings and the rules of a bucket.
func (s *Service) lensPropertiesOf(ctx context.Context, b *bucket) (*lensProperties, error) {
	p := &lensProperties{}
	p.is(lensVersioned, b.Versioning == versioningEnabled)
	p.is(lensKMS, b.Encryption != nil && strings.HasPrefix(b.Encryption.Algorithm, sseKMS))
	p.is(lensEnforced, !b.aclsEnabled())
	p.is(lensPreferred, b.ownership() == bucketOwnerPreferred)
	p.is(lensWriter, b.ownership() == objectWriter)
	p.is(lensAccelerated, b.Accelerate == "Enabled")
	p.is(lensNotifies, b.Notifies)
	var copies api.ReplicationConfiguration
	err := s.store.View(ctx, func(r store.Reader) error {
		rules, err := s.rulesOf(r, b)
		if err != nil {
			return err
		}
		p.lifecycle(rules)
		copies, _, err = record.Get[api.ReplicationConfiguration](r, b.confKey(replicationConf))
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range copies.Rules {
		if copies.Rules[i].Status != "Enabled" {
			continue
		}
		to, err := s.lookUp(ctx, targetOf(&copies.Rules[i]), nil)
		switch {
		case service.Code(err) == "NoSuchBucket":
			p[lensNowhere]++
			continue
		case err != nil:
			return nil, err
		}
		p.is(lensSameRegion, to.Region == b.Region)
		p.is(lensCrossRegion, to.Region != b.Region)
		p.is(lensSameAccount, to.Account == b.Account)
		p.is(lensCrossAccount, to.Account != b.Account)
	}
	return p, nil
}

// lifecycle counts the rules that are enabled.
func (p *lensProperties) lifecycle(rules []api.LifecycleRule) {
	p[lensRules] = int64(len(rules))
	for i := range rules {
		r := &rules[i]
		p.is(lensTransitions, len(r.Transitions) > 0)
		p.is(lensExpirations, r.Expiration != nil && (r.Expiration.Days != nil || r.Expiration.Date != nil))
		p.is(lensOldTransitions, len(r.NoncurrentVersionTransitions) > 0)
		p.is(lensOldExpirations, r.NoncurrentVersionExpiration != nil)
		p.is(lensAborts, r.AbortIncompleteMultipartUpload != nil)
		p.is(lensMarkerRules, r.Expiration != nil && deref(r.Expiration.ExpiredObjectDeleteMarker))
	}
}
