// Package sns is Amazon SNS: topics, their subscriptions, and the delivery of what is published.
//
// A publish is one transaction. It holds the messages of the subscribed queues themselves ([port.Queues]), the jobs of the subscribed functions, and a durable
// job for each endpoint that is reached over HTTP; for FIFO topics also the deduplication id, the sequence number and the archived message. What it
// takes longer to say, because a topic has very many subscriptions or the message is large, is split: the rest is a job in the same commit.
//
// # Keys
//
// All keys begin with ("sns", kind, account, region), then:
//
//	"t", topic                          the topic (record); its Subscriptions field changes with every subscription
//	"s", topic, subscription            a subscription (record)
//	"e", topic, protocol, endpoint      the id of the subscription of an endpoint
//	"d", topic, scope, id               a deduplication id of a FIFO topic, with its expiry
//	"a", topic, sequence                an archived message of a FIFO topic
//	"o", time, id                       the outbox: mails, text messages and pushes, kept for whoever wants to look
//	"p", "app"/"end"/"sms"/"box", …     platform applications, their endpoints, the settings of text messages, the numbers of their sandbox
//
// # Caches
//
// The subscriptions of a topic, with their compiled filters, are kept in memory by the version in the topic's record. A publish verifies the version in its
// transaction, so it reaches exactly the subscriptions of its place in the order of commits.
//
// # Signatures
//
// Messages are signed with an RSA key that is made once and kept in the store. Its certificate is served below /_aws/sns. Verifiers that insist on a host of
// amazonaws.com must be told the platform's host.
//
// # What it deliberately is not
//
// Text messages, mails and mobile push are kept in the outbox and shown, and not sent, save mails when there is a server for them; so are the passwords of the sandbox of text messages, which holds no message back. Data protection policies are stored and not applied.
package sns
