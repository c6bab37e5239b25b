package firehose

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

const (
	// maxPartitions is how many partitions a batch has (https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html).
	maxPartitions = 500
	// functionRetries is how often a function is called again that failed, unless the processor says otherwise.
	functionRetries = 3
	// functionBuffer is how many bytes of records a function gets at once, unless the processor says otherwise.
	functionBuffer = 1 << 20
	// queryTime bounds the evaluation of a query for one record.
	queryTime = time.Second
)

// The types of errors, which the error prefix names.
const (
	failedProcessing = "processing-failed"
	failedMetadata   = "metadata-extraction-failed"
	failedPartitions = "activePartitionExceeded"
)

// item is a record on its way to an object.
type item struct {
	id            string
	at            time.Time
	data          []byte
	query, lambda map[string]string
	failure       *failure
}

// failure is why a record was not delivered. It is written, as a line of JSON, below the error prefix.
type failure struct {
	kind     string
	Attempts int    `json:"attemptsMade"`
	Arrived  int64  `json:"arrivalTimestamp"` // Unix milliseconds
	Code     string `json:"errorCode"`
	Message  string `json:"errorMessage"`
	Ended    int64  `json:"attemptEndingTimestamp"` // Unix milliseconds
	Data     []byte `json:"rawData"`
	Function string `json:"lambdaArn,omitempty"`
}

// work is what is done with the records of a destination.
type work struct {
	function, role string
	retries        int
	buffer         int // bytes
	split          bool
	query          *gojq.Code
	keys           map[string]bool // of the query's result
	delimiter      []byte
}

// extracts tells whether the query gives a partition key of a name.
func (w *work) extracts(name string) bool { return w.keys[name] }

// newWork reads the processors of a destination with a role. Those that are not supported are refused by name.
func newWork(c *api.ProcessingConfiguration, role string) (*work, error) {
	w := &work{retries: functionRetries, buffer: functionBuffer}
	if c != nil && c.Enabled != nil && *c.Enabled {
		for i := range c.Processors {
			if err := w.add(&c.Processors[i]); err != nil {
				return nil, err
			}
		}
	}
	if w.function != "" && w.role == "" {
		w.role = role
	}
	return w, nil
}

func (w *work) add(p *api.Processor) error {
	parameters := map[string]string{}
	for _, v := range p.Parameters {
		parameters[v.ParameterName] = v.ParameterValue
	}
	known := func(names ...string) error {
		for name := range parameters {
			if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
				return service.Unsupported(codeInvalid, "the processor "+p.Type, name)
			}
		}
		return nil
	}
	switch p.Type {
	case api.ProcessorTypeLambda:
		if err := known("LambdaArn", "NumberOfRetries", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds"); err != nil {
			return err
		}
		return w.addFunction(parameters)
	case api.ProcessorTypeMetadataExtraction:
		if err := known("MetadataExtractionQuery", "JsonParsingEngine"); err != nil {
			return err
		}
		return w.addQuery(parameters)
	case api.ProcessorTypeAppendDelimiterToRecord:
		if err := known("Delimiter"); err != nil {
			return err
		}
		w.delimiter = []byte("\n")
		if text, ok := parameters["Delimiter"]; ok {
			w.delimiter = []byte(strings.ReplaceAll(text, `\n`, "\n"))
		}
		return nil
	case api.ProcessorTypeRecordDeAggregation:
		if err := known("SubRecordType"); err != nil {
			return err
		}
		if parameters["SubRecordType"] != "JSON" {
			return service.Unsupported(codeInvalid, "the processor "+p.Type, "SubRecordType "+parameters["SubRecordType"])
		}
		w.split = true
		return nil
	}
	return service.Unsupported(codeInvalid, "CreateDeliveryStream", "processor "+p.Type)
}

func (w *work) addFunction(parameters map[string]string) error {
	w.function, w.role = parameters["LambdaArn"], parameters["RoleArn"]
	if w.function == "" {
		return invalid("The processor Lambda needs the parameter LambdaArn.")
	}
	if text, ok := parameters["NumberOfRetries"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 300 {
			return invalid("The parameter NumberOfRetries is a number from 0 to 300; it is %s.", text)
		}
		w.retries = n
	}
	if text, ok := parameters["BufferSizeInMBs"]; ok {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0.2 || n > 3 {
			return invalid("The parameter BufferSizeInMBs is a number from 0.2 to 3; it is %s.", text)
		}
		w.buffer = int(n * (1 << 20))
	}
	return nil
}

func (w *work) addQuery(parameters map[string]string) error {
	if engine := parameters["JsonParsingEngine"]; engine != "JQ-1.6" {
		return invalid("The parameter JsonParsingEngine must be JQ-1.6; it is %q.", engine)
	}
	text := parameters["MetadataExtractionQuery"]
	q, err := gojq.Parse(text)
	if err != nil {
		return invalid("The parameter MetadataExtractionQuery is not valid: %v", err)
	}
	if w.query, err = gojq.Compile(q); err != nil {
		return invalid("The parameter MetadataExtractionQuery is not valid: %v", err)
	}
	w.keys = map[string]bool{}
	if q.Term != nil && q.Term.Object != nil {
		for _, kv := range q.Term.Object.KeyVals {
			name := kv.Key
			if kv.KeyString != nil {
				name = kv.KeyString.Str
			}
			w.keys[name] = true
		}
	}
	if len(w.keys) == 0 {
		return invalid("The parameter MetadataExtractionQuery must give an object of partition keys, such as {key: .member}.")
	}
	return nil
}

// process does with the records of a batch what the processors say.
func (p *pump) process(ctx context.Context, st *stream, w *work, b plan, items []*item) ([]*item, error) {
	if w.split {
		items = split(items)
	}
	if w.function != "" {
		var err error
		if items, err = p.transform(ctx, st, w, items); err != nil {
			return nil, err
		}
	}
	for _, it := range items {
		if it.failure == nil && w.query != nil {
			w.extract(ctx, it, b.At)
		}
		if it.failure == nil && w.delimiter != nil {
			it.data = slices.Concat(it.data, w.delimiter)
		}
	}
	return items, nil
}

// objects makes the objects of a batch.
func (p *pump) objects(ctx context.Context, st *stream, w *work, b plan, items []*item) ([]*object, error) {
	raw := untouched(items)
	items, err := p.process(ctx, st, w, b, items)
	if err != nil {
		return nil, err
	}
	out, err := st.gather(b, items)
	if err != nil || st.Bucket.S3BackupMode != "Enabled" {
		return out, err
	}
	return append(out, st.backup(b, raw)), nil
}

// untouched returns copies of records that keep what came, whatever is done with it.
func untouched(items []*item) []*item {
	raw := make([]*item, len(items))
	for i, it := range items {
		raw[i] = &item{id: it.id, at: it.at, data: it.data}
	}
	return raw
}

// split makes one record of each JSON value in records that hold several.
func split(items []*item) (out []*item) {
	for _, it := range items {
		d := json.NewDecoder(bytes.NewReader(it.data))
		for n := 0; ; n++ {
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				if d.More() || n == 0 { // what is no JSON stays as it is
					out = append(out, &item{id: it.id + "-" + strconv.Itoa(n), at: it.at, data: it.data[min(int(d.InputOffset()), len(it.data)):]})
				}
				break
			}
			out = append(out, &item{id: it.id + "-" + strconv.Itoa(n), at: it.at, data: value})
		}
	}
	return out
}

// extract finds the partition keys of a record by the query.
func (w *work) extract(ctx context.Context, it *item, now time.Time) {
	fail := func(format string, args ...any) {
		it.failure = &failure{
			kind: failedMetadata, Attempts: 1, Arrived: it.at.UnixMilli(), Code: "DynamicPartitioning.MetadataExtractionFailed", Message: fmt.Sprintf(format, args...),
			Ended: now.UnixMilli(), Data: it.data,
		}
	}
	var value any
	if err := json.Unmarshal(it.data, &value); err != nil {
		fail("partitionKeys values must not be null or empty: the record is not JSON: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	found, ok := w.query.RunWithContext(ctx, value).Next()
	keys, isObject := found.(map[string]any)
	if err, failed := found.(error); failed {
		fail("Non JSON record provided for metadata extraction, or the query failed: %v", err)
		return
	}
	if !ok || !isObject {
		fail("The query gives no object of partition keys.")
		return
	}
	it.query = map[string]string{}
	for name, v := range keys {
		text, isText := v.(string)
		if !isText && v != nil {
			b, err := gojq.Marshal(v)
			if err != nil {
				fail("The partition key %s cannot be written: %v", name, err)
				return
			}
			text = string(b)
		}
		if text == "" {
			fail("partitionKeys values must not be null or empty: %s", name)
			return
		}
		it.query[name] = text
	}
}

// given and taken are the events of a transformation and its answer
// (https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html).
type given struct {
	Invocation string        `json:"invocationId"`
	Stream     string        `json:"deliveryStreamArn"`
	Source     string        `json:"sourceKinesisStreamArn,omitempty"`
	Region     string        `json:"region"`
	Records    []givenRecord `json:"records"`
}

type givenRecord struct {
	ID      string `json:"recordId"`
	Arrived int64  `json:"approximateArrivalTimestamp"` // Unix milliseconds
	Data    []byte `json:"data"`
}

type taken struct {
	Records []struct {
		ID       string `json:"recordId"`
		Result   string `json:"result"`
		Data     string `json:"data"`
		Metadata struct {
			Keys map[string]string `json:"partitionKeys"`
		} `json:"metadata"`
	} `json:"records"`
}

// transform hands records to the function, and returns what it makes of them.
func (p *pump) transform(ctx context.Context, st *stream, w *work, items []*item) (out []*item, err error) {
	for rest := items; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+len(rest[n].data) <= w.buffer) {
			size += len(rest[n].data)
			n++
		}
		done, err := p.transformSome(ctx, st, w, rest[:n])
		if err != nil {
			return nil, err
		}
		out, rest = append(out, done...), rest[n:]
	}
	return out, nil
}

func (p *pump) transformSome(ctx context.Context, st *stream, w *work, items []*item) (out []*item, err error) {
	answer, attempts, problem := p.invoke(ctx, st, w, items)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	fail := func(it *item, code, message string) {
		it.failure = &failure{
			kind: failedProcessing, Attempts: attempts, Arrived: it.at.UnixMilli(), Code: code, Message: message, Ended: p.clock.Now().UnixMilli(), Data: it.data, Function: w.function,
		}
		out = append(out, it)
	}
	if problem != nil {
		for _, it := range items {
			fail(it, "Lambda.FunctionError", problem.Error())
		}
		return out, nil
	}
	byID := map[string]int{}
	for i := range answer.Records {
		byID[answer.Records[i].ID] = i
	}
	for _, it := range items {
		i, ok := byID[it.id]
		if !ok {
			fail(it, "Lambda.MissingRecordId", "The function did not return the record with this recordId.")
			continue
		}
		switch r := &answer.Records[i]; r.Result {
		case "Dropped":
		case "Ok":
			data, err := base64.StdEncoding.DecodeString(r.Data)
			if err != nil {
				fail(it, "Lambda.JsonProcessingException", "The data of the record is not base64.")
				continue
			}
			it.data, it.lambda = data, r.Metadata.Keys
			out = append(out, it)
		case "ProcessingFailed":
			fail(it, "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
		default:
			fail(it, "Lambda.InvalidResult", "The result of a record is Ok, Dropped or ProcessingFailed.")
		}
	}
	return out, nil
}

// invoke calls the function, again when it fails.
func (p *pump) invoke(ctx context.Context, st *stream, w *work, items []*item) (answer taken, attempts int, err error) {
	id, err := uuid.New(p.random)
	if err != nil {
		return answer, 0, err
	}
	in := given{Invocation: id, Stream: st.arn(), Source: st.Source, Region: st.place.region}
	for _, it := range items {
		in.Records = append(in.Records, givenRecord{it.id, it.at.UnixMilli(), it.data})
	}
	payload, err := json.Marshal(in)
	if err != nil {
		return answer, 0, err
	}
	for attempts = 1; ; attempts++ {
		if answer, err = p.invokeOnce(ctx, st, w, payload); err == nil || ctx.Err() != nil || attempts > w.retries {
			return answer, attempts, err
		}
	}
}

func (p *pump) invokeOnce(ctx context.Context, st *stream, w *work, payload []byte) (answer taken, err error) {
	as, err := p.caller(ctx, st, w.role, w.function)
	if err != nil {
		return answer, err
	}
	out, err := service.Call[lambda.InvokeOutput](as, p.door, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: w.function, Payload: payload})
	if err != nil {
		return answer, err
	}
	if out.FunctionError != nil {
		return answer, fmt.Errorf("the function failed: %.1000s", out.Payload)
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		return answer, fmt.Errorf("the answer of the function is not of the expected form: %w", err)
	}
	return answer, nil
}

// caller returns a context for calls with a role of the stream.
func (p *pump) caller(ctx context.Context, st *stream, role, to string) (context.Context, error) {
	id, err := uuid.New(p.random)
	if err != nil {
		return nil, err
	}
	return p.sender.Caller(ctx, port.Source{Service: principal, ARN: st.arn(), Account: st.place.account}, role, id, to)
}
