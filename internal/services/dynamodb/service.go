package dynamodb

import (
	"context"
	"io"
	"net/http"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	streams "lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/dynamodb/expr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/memo"
)

// Service is DynamoDB with its streams. It implements [port.Arrivals] for the streams.
type Service struct {
	store       store.Store
	door        service.Door
	clock       clock.Clock
	random      io.Reader
	baseURL     string
	known       *memo.Cache[place, string, *table]
	counts      statisticsCache
	throttle    *tokenbucket.Buckets[bucketKey]
	exprs       *expr.Cache
	dataStreams port.DataStreams
	// contributors are the keys with most traffic, of tables that have Contributor Insights.
	contributors contributors
}

// New returns DynamoDB on the given collaborators. dataStreams take the records of tables that have Kinesis destinations.
func New(d service.Deps, dataStreams port.DataStreams) *Service {
	return &Service{
		store: d.Store, door: d.Door, clock: d.Clock, random: d.Random, baseURL: d.BaseURL, exprs: expr.NewCache(), dataStreams: dataStreams,
		throttle: tokenbucket.New[bucketKey](maxBuckets),
		known:    memo.New[place, string, *table](d.Store, maxCachedTables, func(p place) [][]byte { return [][]byte{p.tables()} }),
	}
}

// Tables returns the API of tables and items as the platform sees it.
func (s *Service) Tables() service.Service {
	return service.Service{
		API:        ddb.API,
		Operations: s.handlers().Bindings(),
		Access:     s.access(),
		DataOperations: []string{
			"BatchExecuteStatement", "BatchGetItem", "BatchWriteItem", "DeleteItem", "ExecuteStatement", "ExecuteTransaction", "GetItem", "PutItem",
			"Query", "Scan", "TransactGetItems", "TransactWriteItems", "UpdateItem",
		},
		Resources: []service.ResourceType{s.tableResource(), s.globalTableResource()},
		Routes: []service.Route{
			{Path: "/_lambent/dynamodb/contributors/{account}/{region}/{table}", Handler: http.HandlerFunc(s.serveContributors), RootOnly: "see which keys of a table have most traffic"},
		},
		Jobs: s.jobs(),
		Close: func(context.Context) error {
			s.known.Close()
			return nil
		},
	}
}

// Streams returns the API of streams as the platform sees it.
func (s *Service) Streams() service.Service {
	h := &streams.Handlers{
		DescribeStream:   s.describeStream,
		GetRecords:       s.getRecords,
		GetShardIterator: s.getShardIterator,
		ListStreams:      s.listStreams,
	}
	return service.Service{API: streams.API, Operations: h.Bindings(), Access: s.streamAccess(), DataOperations: []string{"GetRecords", "GetShardIterator"}}
}

func (s *Service) handlers() *ddb.Handlers {
	return &ddb.Handlers{
		DescribeContributorInsights: s.describeContributorInsights,
		ListContributorInsights:     s.listContributorInsights,
		UpdateContributorInsights:   s.updateContributorInsights,
		DeleteResourcePolicy:        s.deleteResourcePolicy,
		GetResourcePolicy:           s.getResourcePolicy,
		PutResourcePolicy:           s.putResourcePolicy,
		BatchExecuteStatement:       s.batchExecuteStatement,
		ExecuteStatement:            s.executeStatement,
		ExecuteTransaction:          s.executeTransaction,
		BatchGetItem:                s.batchGetItem,
		BatchWriteItem:              s.batchWriteItem,
		CreateTable:                 s.createTable,
		CreateBackup:                s.createBackup,
		CreateGlobalTable:           s.createGlobalTable,
		DescribeGlobalTable:         s.describeGlobalTable,
		DescribeGlobalTableSettings: s.describeGlobalTableSettings,
		ListGlobalTables:            s.listGlobalTables,
		UpdateGlobalTable:           s.updateGlobalTable,
		UpdateGlobalTableSettings:   s.updateGlobalTableSettings,
		DeleteBackup:                s.deleteBackup,
		DescribeBackup:              s.describeBackup,
		DescribeExport:              s.describeExport,
		DescribeImport:              s.describeImport,
		ExportTableToPointInTime:    s.exportTableToPointInTime,
		ImportTable:                 s.importTable,
		ListExports:                 s.listExports,
		ListImports:                 s.listImports,
		ListBackups:                 s.listBackups,
		RestoreTableFromBackup:      s.restoreTableFromBackup,
		RestoreTableToPointInTime:   s.restoreTableToPointInTime,
		UpdateContinuousBackups:     s.updateContinuousBackups,
		DeleteItem:                  s.deleteItem,
		DeleteTable:                 s.deleteTable,
		DescribeEndpoints:           s.describeEndpoints,
		DescribeLimits:              s.describeLimits,
		DescribeTable:               s.describeTable,
		DescribeTimeToLive:          s.describeTimeToLive,
		GetItem:                     s.getItem,
		ListTables:                  s.listTables,
		ListTagsOfResource:          s.listTagsOfResource,
		PutItem:                     s.putItem,
		Query:                       s.query,
		Scan:                        s.scan,
		TagResource:                 s.tagResource,
		TransactGetItems:            s.transactGetItems,
		TransactWriteItems:          s.transactWriteItems,
		UntagResource:               s.untagResource,
		UpdateItem:                  s.updateItem,
		UpdateTable:                 s.updateTable,
		UpdateTimeToLive:            s.updateTimeToLive,

		DescribeContinuousBackups:       s.describeContinuousBackups,
		DescribeTableReplicaAutoScaling: s.describeTableReplicaAutoScaling,

		DescribeKinesisStreamingDestination: s.describeKinesisStreamingDestination,
		DisableKinesisStreamingDestination:  s.disableKinesisStreamingDestination,
		EnableKinesisStreamingDestination:   s.enableKinesisStreamingDestination,
		UpdateKinesisStreamingDestination:   s.updateKinesisStreamingDestination,
	}
}
