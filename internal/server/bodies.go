package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/disk"
	"lambent.dev/lambent/internal/blob/s3"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/s3client"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// elsewhere is the row that tells where bodies are kept when that is not the data folder. It is there from the first start with a cluster on.
type elsewhere struct {
	// Owner identifies this data folder in the cluster.
	Owner    string `json:"owner"`
	Location string `json:"location"`
}

func elsewhereKey() []byte { return key.New("server", "", "", "bodies") }

// openBodies opens the store of bodies: the folder, or the cluster with the folder for what was there before.
func openBodies(ctx context.Context, cfg config.Config, kv store.Store, log *slog.Logger, c clock.Clock) (blob.Store, error) {
	local, err := disk.Open(filepath.Join(cfg.DataDir, "blobs"), disk.Options{})
	if err != nil {
		return nil, fmt.Errorf("open the data folder %s: %w", cfg.DataDir, err)
	}
	row, err := locateBodies(ctx, cfg, kv)
	if err != nil || row.Location == "" {
		return local, err
	}
	bucket, prefix, err := cfg.BodiesBucket()
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(cfg.BodiesEndpoint)
	if err != nil {
		return nil, fmt.Errorf("setting bodies-endpoint: %w", err)
	}
	process, err := uuid.New(rand.Reader)
	if err != nil {
		return nil, err
	}
	return s3.Open(ctx, s3.Options{
		Client: &s3client.Client{
			Endpoint: endpoint, Region: cfg.BodiesRegion, PathStyle: cfg.BodiesPathStyle, Credentials: s3client.Credentials(cfg.Keys),
			HTTP: &http.Client{Transport: s3client.NewTransport()}, Clock: c, Random: rand.Reader,
		},
		Bucket: bucket, Prefix: prefix, Owner: row.Owner, Process: process, Spool: filepath.Join(cfg.DataDir, "spool"), Local: local, Clock: c, Log: log,
	})
}

// locateBodies compares where bodies are to be kept with where they have been, and notes a cluster that is new.
func locateBodies(ctx context.Context, cfg config.Config, kv store.Store) (row elsewhere, err error) {
	err = kv.Update(ctx, func(tx store.Txn) error {
		found, known, err := record.Get[elsewhere](tx, elsewhereKey())
		row = found
		switch {
		case err != nil:
			return err
		case known && cfg.Bodies != found.Location:
			return fmt.Errorf("the bodies of %s are kept in %s, and the setting bodies is %q: set it to that again, with bodies-endpoint and bodies-keys (to move bodies, start an empty data folder and use `lambent s3 import`)", cfg.DataDir, found.Location, cfg.Bodies)
		case known || cfg.Bodies == "":
			return nil
		}
		owner, err := uuid.New(rand.Reader)
		if err != nil {
			return err
		}
		row = elsewhere{owner, cfg.Bodies}
		return record.Set(tx, elsewhereKey(), row)
	})
	return row, err
}
