package sam

// Rules and schedules of EventBridge, and filters of logs: what starts a function or a state machine by a rule.

var scheduleSchema = schema{
	{"Schedule", aText, required},
	{"RuleName", aText, 0},
	{"Input", aText, 0},
	{"Enabled", aBool, 0},
	{"State", aText, 0},
	{"Name", aText, 0},
	{"Description", aText, 0},
	{"DeadLetterConfig", aMap, 0},
	{"RetryPolicy", aMap, 0},
}

var ruleSchema = schema{
	{"EventBusName", aText, 0},
	{"RuleName", aText, 0},
	{"Pattern", aMap, 0},
	{"DeadLetterConfig", aMap, 0},
	{"RetryPolicy", aMap, 0},
	{"Input", aText, 0},
	{"InputPath", aText, 0},
	{"Target", aMap, 0},
	{"Enabled", aBool, 0},
	{"State", aText, 0},
	{"InputTransformer", aMap, 0},
}

var scheduleV2Schema = schema{
	{"PermissionsBoundary", aText, 0},
	{"ScheduleExpression", aText, required},
	{"FlexibleTimeWindow", aMap, 0},
	{"Name", aText, 0},
	{"State", aText, 0},
	{"Description", aText, 0},
	{"StartDate", aText, 0},
	{"EndDate", aText, 0},
	{"ScheduleExpressionTimezone", aText, 0},
	{"GroupName", aText, 0},
	{"KmsKeyArn", aText, 0},
	{"Input", aText, 0},
	{"RoleArn", aText, 0},
	{"DeadLetterConfig", aMap, 0},
	{"RetryPolicy", aMap, 0},
	{"OmitName", aBool, literal},
}

var logsEventSchema = schema{{"LogGroupName", aText, required}, {"FilterPattern", aText, required}}

// ruleTarget is the target of a rule: what the event starts.
func (e *event) ruleTarget(suffix string, deadLetters any) *dict {
	id := any(targetID(e.id, suffix))
	if t := e.properties.dict("Target"); t.has("Id") {
		id = t.get("Id")
	}
	out := dictOf("Arn", e.targetARN(), "Id", id)
	e.copyTo(out, "Input", "InputPath")
	if e.get("DeadLetterConfig") != nil {
		out.set("DeadLetterConfig", dictOf("Arn", deadLetters))
	}
	e.copyTo(out, "RetryPolicy", "InputTransformer")
	return out
}

// schedule starts a function by a rule with a schedule.
func (e *event) schedule(*link) ([]*resource, error) {
	p := dictOf("ScheduleExpression", e.get("Schedule"), "Name", e.get("Name"), "Description", e.get("Description"))
	return e.invokeByRule(p)
}

// rule starts a function by a rule with a pattern.
func (e *event) rule(*link) ([]*resource, error) {
	return e.invokeByRule(dictOf("EventBusName", e.get("EventBusName"), "EventPattern", e.get("Pattern"), "Name", e.get("RuleName")))
}

func (e *event) invokeByRule(p *dict) ([]*resource, error) {
	rule := e.beside("AWS::Events::Rule", e.id, p)
	if e.typ == "Schedule" {
		if err := e.state(p); err != nil {
			return nil, err
		}
	}
	queue, made, err := e.deadLetters(rule.arn())
	if err != nil {
		return nil, err
	}
	if e.typ != "Schedule" {
		if err := e.state(p); err != nil {
			return nil, err
		}
	}
	p.set("Targets", []any{e.ruleTarget("LambdaTarget", queue)})
	return append(append([]*resource{rule}, made...), e.permission("events.amazonaws.com", dictOf("SourceArn", rule.arn()))), nil
}

// scheduleV2 starts a function or a state machine by EventBridge Scheduler, with a role of its own.
func (e *event) scheduleV2(*link) ([]*resource, error) {
	p := dictOf("ScheduleExpression", e.get("ScheduleExpression"), "FlexibleTimeWindow", dictOf("Mode", "OFF"))
	for _, k := range []string{"State", "FlexibleTimeWindow"} {
		if v := e.get(k); truthy(v) {
			p.set(k, v)
		}
	}
	switch omit, given := truthy(e.get("OmitName")), e.get("Name"); {
	case omit && truthy(given):
		return nil, e.failID("Name cannot be set when OmitName is True")
	case omit:
	case truthy(given):
		p.set("Name", given)
	default:
		p.set("Name", e.id)
	}
	e.copyTo(p, "Description", "StartDate", "EndDate", "ScheduleExpressionTimezone", "GroupName", "KmsKeyArn")
	made := []*resource{e.beside("AWS::Scheduler::Schedule", e.id, p)}
	queue, more, err := e.deadLetters(nil)
	if err != nil {
		return nil, err
	}
	made = append(made, more...)
	role := e.get("RoleArn")
	if !truthy(role) {
		r := e.schedulerRole(queue)
		made = append(made, r)
		role = r.arn()
	}
	t := dictOf("Arn", e.targetARN(), "RoleArn", role)
	e.copyTo(t, "Input")
	if e.get("DeadLetterConfig") != nil {
		t.set("DeadLetterConfig", dictOf("Arn", queue))
	}
	e.copyTo(t, "RetryPolicy")
	p.set("Target", t)
	return made, nil
}

func (e *event) schedulerRole(queue any) *resource {
	policy := inlinePolicy(e.id+"LambdaPolicy", allow("lambda:InvokeFunction", e.targetARN()))
	if e.source.typ == typeStateMachine {
		policy = startPolicy(e.id, e.targetARN())
	}
	policies := []any{policy}
	if queue != nil {
		policies = append(policies, inlinePolicy(e.id+"SQSPolicy", allow("sqs:SendMessage", queue)))
	}
	p := dictOf("AssumeRolePolicyDocument", assumeRole("scheduler.amazonaws.com"), "Policies", policies)
	if v := e.get("PermissionsBoundary"); truthy(v) {
		p.set("PermissionsBoundary", v)
	}
	return e.beside("AWS::IAM::Role", e.id+"Role", p)
}

// startPolicy lets a role start a state machine.
func startPolicy(id string, machine any) *dict {
	return inlinePolicy(id+"StartExecutionPolicy", allow("states:StartExecution", machine))
}

// logs sends the lines of a log group to the function.
func (e *event) logs(*link) ([]*resource, error) {
	group := e.get("LogGroupName")
	permission := e.permission("logs.amazonaws.com", dictOf("SourceArn", sub(arn(e.partition(), "logs", "log-group:${__LogGroupName__}:*"), "__LogGroupName__", group)))
	filter := e.beside("AWS::Logs::SubscriptionFilter", e.id, dictOf("LogGroupName", group, "FilterPattern", e.get("FilterPattern"), "DestinationArn", e.targetARN()))
	filter.dependsOn = []any{permission.id}
	return []*resource{permission, filter}, nil
}

func (e *event) alexa(*link) ([]*resource, error) {
	return []*resource{e.permission("alexa-appkit.amazon.com", dictOf("EventSourceToken", e.get("SkillId")))}, nil
}

func (e *event) iot(*link) ([]*resource, error) {
	payload := dictOf("Sql", e.get("Sql"), "RuleDisabled", false, "Actions", []any{dictOf("Lambda", dictOf("FunctionArn", e.targetARN()))})
	if v := e.get("AwsIotSqlVersion"); truthy(v) {
		payload.set("AwsIotSqlVersion", v)
	}
	return []*resource{
		e.permission("iot.amazonaws.com", dictOf("SourceArn", sub(arn(e.partition(), "iot", "rule/${RuleName}"), "RuleName", ref(e.id)), "SourceAccount", sub("${AWS::AccountId}"))),
		e.beside("AWS::IoT::TopicRule", e.id, dictOf("TopicRulePayload", payload)),
	}, nil
}
