package s3

import (
	"context"
	"encoding/base32"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// Service is the object store. It implements [port.Objects].
type Service struct {
	store     store.Store
	blobs     blob.Store
	door      service.Door
	clock     clock.Clock
	random    io.Reader
	log       *slog.Logger
	functions port.Functions
	keys      port.Keys
	// bucketKeys are those of keys that many objects share.
	bucketKeys *bucketKeys
	caches     caches
	sender     *deliver.Sender
	roles      port.Roles
	metrics    port.MetricSink
	// deliveries are the events for queues, topics and the event bus.
	deliveries *deliver.Queue
	baseURL    string

	// records is the access log of the buckets that have one.
	records *accessLog

	// buffers are what uploads copy with.
	buffers *buffers
	// blocks are buffers of *[blockSize]byte.
	blocks sync.Pool
	// proven tells when a body was last found whole.
	proven *lru.Cache[blob.ID, time.Time]
	// lastSeq is a hint: the greatest sequence number that this process gave.
	lastSeq atomic.Uint64
}

// eventAge is how long an event is tried again.
const eventAge = 24 * time.Hour

// Options are the ports to other services.
type Options struct {
	// Functions receives the events of buckets.
	Functions port.Functions
	// Keys encrypts objects.
	Keys port.Keys
	// Roles makes the sessions of access grants.
	Roles port.Roles
	// Metrics keeps what Storage Lens publishes.
	Metrics port.MetricSink
	// Sender delivers events to queues, topics and the event bus.
	Sender *deliver.Sender
}

// New returns the object store.
func New(d service.Deps, o Options) *Service {
	s := &Service{
		caches:     newCaches(d.Store),
		buffers:    newBuffers(),
		proven:     lru.New[blob.ID, time.Time](provenBodies),
		blocks:     sync.Pool{New: func() any { return new([blockSize]byte) }},
		deliveries: &deliver.Queue{Name: "s3-event", Sender: o.Sender, MaxAge: eventAge},
		store:      d.Store, blobs: d.Blobs, door: d.Door, clock: d.Clock, random: d.Random, log: d.Log,
		functions: o.Functions, keys: o.Keys, bucketKeys: newBucketKeys(o.Keys, d.Clock), sender: o.Sender, roles: o.Roles, metrics: o.Metrics, baseURL: strings.TrimSuffix(d.BaseURL, "/"),
	}
	s.records = newAccessLog(s)
	return s
}

// start begins what runs beside the requests.
func (s *Service) start(context.Context) error {
	s.records.start()
	return nil
}

// close ends what start began.
func (s *Service) close(ctx context.Context) error {
	s.records.close()
	return s.caches.close(ctx)
}

// Service returns the table of contents of the object store.
func (s *Service) Service() service.Service {
	h := api.Handlers{
		CreateBucket: s.createBucket, DeleteBucket: s.deleteBucket, HeadBucket: s.headBucket, ListBuckets: s.listBuckets,
		GetBucketLocation: s.getBucketLocation, GetBucketVersioning: s.getBucketVersioning, PutBucketVersioning: s.putBucketVersioning,
		GetBucketEncryption: s.getBucketEncryption, PutBucketEncryption: s.putBucketEncryption, DeleteBucketEncryption: s.deleteBucketEncryption,
		PutObjectLockConfiguration: s.putObjectLockConfiguration, GetObjectLockConfiguration: s.getObjectLockConfiguration,
		GetBucketAcl: s.getBucketAcl, PutBucketAcl: s.putBucketAcl, GetObjectAcl: s.getObjectAcl, PutObjectAcl: s.putObjectAcl,
		PutBucketPolicy: s.putBucketPolicy, GetBucketPolicy: s.getBucketPolicy, DeleteBucketPolicy: s.deleteBucketPolicy,
		GetBucketPolicyStatus: s.getBucketPolicyStatus,
		PutPublicAccessBlock:  s.putPublicAccessBlock, GetPublicAccessBlock: s.getPublicAccessBlock, DeletePublicAccessBlock: s.deletePublicAccessBlock,
		PutBucketOwnershipControls: s.putBucketOwnershipControls, GetBucketOwnershipControls: s.getBucketOwnershipControls,
		DeleteBucketOwnershipControls: s.deleteBucketOwnershipControls,
		PutBucketCors:                 s.putBucketCors, GetBucketCors: s.getBucketCors, DeleteBucketCors: s.deleteBucketCors,
		PutBucketWebsite: s.putBucketWebsite, GetBucketWebsite: s.getBucketWebsite, DeleteBucketWebsite: s.deleteBucketWebsite,
		PutBucketLifecycleConfiguration: s.putBucketLifecycle, GetBucketLifecycleConfiguration: s.getBucketLifecycle, DeleteBucketLifecycle: s.deleteBucketLifecycle,
		PutBucketAnalyticsConfiguration: s.putBucketAnalytics, GetBucketAnalyticsConfiguration: s.getBucketAnalytics,
		DeleteBucketAnalyticsConfiguration: s.deleteBucketAnalytics, ListBucketAnalyticsConfigurations: s.listBucketAnalytics,
		PutBucketInventoryConfiguration: s.putBucketInventory, GetBucketInventoryConfiguration: s.getBucketInventory,
		DeleteBucketInventoryConfiguration: s.deleteBucketInventory, ListBucketInventoryConfigurations: s.listBucketInventory,
		PutBucketMetricsConfiguration: s.putBucketMetrics, GetBucketMetricsConfiguration: s.getBucketMetrics,
		DeleteBucketMetricsConfiguration: s.deleteBucketMetrics, ListBucketMetricsConfigurations: s.listBucketMetrics,
		PutBucketIntelligentTieringConfiguration: s.putBucketIntelligentTiering, GetBucketIntelligentTieringConfiguration: s.getBucketIntelligentTiering,
		DeleteBucketIntelligentTieringConfiguration: s.deleteBucketIntelligentTiering, ListBucketIntelligentTieringConfigurations: s.listBucketIntelligentTiering,
		PutBucketRequestPayment: s.putBucketRequestPayment, GetBucketRequestPayment: s.getBucketRequestPayment,
		PutBucketAccelerateConfiguration: s.putBucketAccelerate, GetBucketAccelerateConfiguration: s.getBucketAccelerate,
		PutBucketLogging: s.putBucketLogging, GetBucketLogging: s.getBucketLogging,
		PutBucketAbac: s.putBucketAbac, GetBucketAbac: s.getBucketAbac,
		PutBucketReplication: s.putBucketReplication, GetBucketReplication: s.getBucketReplication, DeleteBucketReplication: s.deleteBucketReplication,
		PutBucketTagging: s.putBucketTagging, GetBucketTagging: s.getBucketTagging, DeleteBucketTagging: s.deleteBucketTagging,
		PutBucketNotificationConfiguration: s.putBucketNotificationConfiguration,
		GetBucketNotificationConfiguration: s.getBucketNotificationConfiguration,

		PutObject: s.putObject, GetObject: s.getObject, HeadObject: s.headObject, CopyObject: s.copyObject,
		DeleteObject: s.deleteObject, DeleteObjects: s.deleteObjects, ListObjects: s.listObjects, ListObjectsV2: s.listObjectsV2,
		GetObjectAttributes: s.getObjectAttributes, ListObjectVersions: s.listObjectVersions, RenameObject: s.renameObject, RestoreObject: s.restoreObject,
		PutObjectRetention: s.putObjectRetention, GetObjectRetention: s.getObjectRetention,
		PutObjectLegalHold: s.putObjectLegalHold, GetObjectLegalHold: s.getObjectLegalHold,
		PutObjectTagging: s.putObjectTagging, GetObjectTagging: s.getObjectTagging, DeleteObjectTagging: s.deleteObjectTagging,

		CreateMultipartUpload: s.createMultipartUpload, UploadPart: s.uploadPart, UploadPartCopy: s.uploadPartCopy,
		CompleteMultipartUpload: s.completeMultipartUpload, AbortMultipartUpload: s.abortMultipartUpload,
		ListParts: s.listParts, ListMultipartUploads: s.listMultipartUploads,
	}
	site := &websitePlane{s}
	return service.Service{
		API: api.API, Operations: h.Bindings(), Access: s.access(), Resources: s.resources(), Preflight: s.CORS, Form: s.postForm, Answered: s.answered,
		Start: s.start, Close: s.close, HoldsBody: s.holdsBody,
		DataOperations: dataOperations,
		Routes: []service.Route{
			{Host: "{bucket+}.s3-website.{region}.*", Handler: site, Public: true},
			{Host: "{bucket+}.s3-website-{region}.*", Handler: site, Public: true},
			{Path: "/_aws/s3-website/{bucket}", Handler: site, Public: true},
			{Path: "/_lambent/s3/scrub", Handler: http.HandlerFunc(s.serveScrub), RootOnly: "scrub the object store"},
			{Path: "/_lambent/s3/usage", Handler: http.HandlerFunc(s.serveUsage), RootOnly: "read the usage of the object store"},
			{Host: "{bucket+}.accesspoint.s3-global.*", API: "s3"},
			{Host: "{bucket+}.s3-accesspoint.{region}.*", API: "s3"},
			{Host: "{bucket+}.s3.{region}.*", API: "s3"},
			{Host: "{bucket+}.s3.*", API: "s3"},
		},
		Jobs: []events.Kind{
			{Name: garbageKind, Handle: s.collect, Concurrency: 2, MakesRoom: true},
			{Name: purgeKind, Handle: s.purge, Concurrency: 1, MakesRoom: true},
			{Name: lifecycleKind, Handle: s.expire, Concurrency: 2, MakesRoom: true},
			{Name: logKind, Handle: s.deliverLogs, Concurrency: 2, MaxAge: logAge, Exhausted: s.logsDropped},
			{Name: lensKind, Handle: s.reportLens, Concurrency: 1},
			{Name: replicaKind, Handle: s.copyReplica, Concurrency: 8, MaxAge: replicaAge, Exhausted: s.replicaGivenUp},
			s.deliveries.Kind(),
		},
	}
}

func (s *Service) now() time.Time { return s.clock.Now().UTC() }

// newID returns a random id of 26 lower-case letters and digits.
func (s *Service) newID() string {
	var b [16]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		// Randomness of the operating system does not fail; a time keeps ids apart if it ever should.
		return "t" + base32.HexEncoding.EncodeToString([]byte(s.now().Format(time.RFC3339Nano)))
	}
	return strings.ToLower(strings.TrimRight(base32.StdEncoding.EncodeToString(b[:]), "="))
}
