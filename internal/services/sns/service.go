package sns

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/auth/keycheck"
	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Options are what SNS needs beside what every service gets.
type Options struct {
	// Queues takes the messages of subscribed queues, Functions the events of subscribed functions.
	Queues    port.Queues
	Functions port.Functions
	// Deliveries takes the messages of subscribed delivery streams.
	Deliveries port.DeliveryStreams
	// Roles tells who may pass the role of a subscription, and assumes those of the logs of deliveries. Nil asks nothing.
	Roles port.Roles
	// Logs takes the status of deliveries. Nil drops it.
	Logs port.LogSink
	// Keys decides about topics that name a key.
	Keys *keycheck.Checker
	// Mails sends the mails of subscriptions, beside keeping them in the outbox. Nil sends none.
	Mails Mails
	// Transport reaches the endpoints of HTTP and HTTPS subscriptions; nil means [http.DefaultTransport].
	Transport http.RoundTripper
}

// Service is Amazon SNS. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
	http    *http.Client
	topics  topicCache
	signers signers
}

// httpTimeout is how long an endpoint may take for its answer (https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html).
const httpTimeout = 15 * time.Second

// New returns SNS on the given collaborators.
func New(d service.Deps, o Options) service.Service { return newService(d, o).describe() }

func newService(d service.Deps, o Options) *Service {
	d.BaseURL = strings.TrimSuffix(d.BaseURL, "/")
	return &Service{deps: d, options: o, http: deliver.NewClient(o.Transport, httpTimeout)}
}

func (s *Service) describe() service.Service {
	return service.Service{
		API:            api.API,
		Operations:     s.handlers().Bindings(),
		Access:         s.access(),
		DataOperations: []string{"Publish", "PublishBatch"},
		Resources:      s.resources(),
		Routes: []service.Route{
			{Path: "/_aws/sns", Handler: http.HandlerFunc(s.serveCertificate), Public: true},
			{Path: "/_lambent/outbox/{account}/{region}", Handler: http.HandlerFunc(s.serveOutbox), RootOnly: "look into the outbox"},
		},
		Jobs: []events.Kind{
			{Name: fanoutKind, Handle: s.goOn},
			{Name: httpKind, Handle: s.post, Concurrency: 64},
			{Name: mailKind, Handle: s.sendMail, Backoff: mailWait},
			{Name: replayKind, Handle: s.replayNext},
		},
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		AddPermission:                      s.addPermission,
		CheckIfPhoneNumberIsOptedOut:       s.checkIfPhoneNumberIsOptedOut,
		ConfirmSubscription:                s.confirmSubscription,
		CreatePlatformApplication:          s.createPlatformApplication,
		CreatePlatformEndpoint:             s.createPlatformEndpoint,
		CreateTopic:                        s.createTopic,
		DeleteEndpoint:                     s.deleteEndpoint,
		DeletePlatformApplication:          s.deletePlatformApplication,
		DeleteTopic:                        s.deleteTopic,
		GetDataProtectionPolicy:            s.getDataProtectionPolicy,
		GetEndpointAttributes:              s.getEndpointAttributes,
		GetPlatformApplicationAttributes:   s.getPlatformApplicationAttributes,
		GetSMSAttributes:                   s.getSMSAttributes,
		GetSMSSandboxAccountStatus:         s.getSMSSandboxAccountStatus,
		GetSubscriptionAttributes:          s.getSubscriptionAttributes,
		GetTopicAttributes:                 s.getTopicAttributes,
		ListEndpointsByPlatformApplication: s.listEndpointsByPlatformApplication,
		ListPhoneNumbersOptedOut:           s.listPhoneNumbersOptedOut,
		ListPlatformApplications:           s.listPlatformApplications,
		ListSubscriptions:                  s.listSubscriptions,
		ListSubscriptionsByTopic:           s.listSubscriptionsByTopic,
		ListTagsForResource:                s.listTagsForResource,
		ListTopics:                         s.listTopics,
		CreateSMSSandboxPhoneNumber:        s.createSMSSandboxPhoneNumber,
		DeleteSMSSandboxPhoneNumber:        s.deleteSMSSandboxPhoneNumber,
		ListOriginationNumbers:             s.listOriginationNumbers,
		ListSMSSandboxPhoneNumbers:         s.listSMSSandboxPhoneNumbers,
		VerifySMSSandboxPhoneNumber:        s.verifySMSSandboxPhoneNumber,
		OptInPhoneNumber:                   s.optInPhoneNumber,
		Publish:                            s.publish,
		PublishBatch:                       s.publishBatch,
		PutDataProtectionPolicy:            s.putDataProtectionPolicy,
		RemovePermission:                   s.removePermission,
		SetEndpointAttributes:              s.setEndpointAttributes,
		SetPlatformApplicationAttributes:   s.setPlatformApplicationAttributes,
		SetSMSAttributes:                   s.setSMSAttributes,
		SetSubscriptionAttributes:          s.setSubscriptionAttributes,
		SetTopicAttributes:                 s.setTopicAttributes,
		Subscribe:                          s.subscribe,
		TagResource:                        s.tagResource,
		Unsubscribe:                        s.unsubscribe,
		UntagResource:                      s.untagResource,
	}
}

func (s *Service) nowMS() int64 { return s.deps.Clock.Now().UnixMilli() }

// signers holds the signing key once it is read.
type signers struct {
	mu  sync.Mutex // guards the field below
	one *signer
}
