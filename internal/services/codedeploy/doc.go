// Package codedeploy is AWS CodeDeploy for functions: an alias's traffic moves from one version of a function to another, at once or bit by bit.
//
// The compute platforms Server and ECS, revisions in S3 and GitHub, and triggers are refused by name.
//
// # Keys
//
// All keys begin with ("codedeploy", kind, account, region), then:
//
//	"a", application         an application (record)
//	"g", application, group  a deployment group (record)
//	"c", config              a deployment configuration (record); those of AWS need no row
//	"d", deployment          a deployment (record)
//	"w", alarm, deployment   a deployment under way that an alarm stops
//
// # Deployments
//
// A deployment goes through three lifecycle events: BeforeAllowTraffic, which calls a hook when there is one, AllowTraffic, which moves the weights of the alias, and
// AfterAllowTraffic, another hook. Each step is done by a durable job with the name of the deployment. What a step does can be done twice; its outcome and the job of
// the next step are one commit, which is left out when the deployment has moved on in the meantime (its step number differs): it was stopped, or a hook reported.
//
// A hook is a function that is called asynchronously and reports with PutLifecycleEventHookExecutionStatus, within an hour
// (https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html).
//
// An alarm of a deployment's group stops it when it goes off: in the alarm's own commit, and before each step when it has gone off already.
//
// A deployment that fails or is stopped is rolled back when its group says so and traffic has moved: by a deployment of its own, which gives the alias all at once to the version before.
//
// # Locks
//
// None: all state is in the store. Who waits for a deployment watches its row.
package codedeploy
