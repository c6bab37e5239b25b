package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/token"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// certificateQuota is how many server certificates an account may have, by default.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const certificateQuota = 20

// certificate is the record of a server certificate.
type certificate struct {
	Account, Name, Path, ID string
	Uploaded, Expires       time.Time
	// Body and Chain are PEM.
	Body, Chain string
	// Key is the private key in PEM, sealed under the master key for the purpose that certificatePurpose names.
	Key  []byte
	Tags []api.Tag `json:",omitempty"`
}

func certificatePurpose(id string) string { return "private key of server certificate " + id }

func (c *certificate) arn() string { return certificateARN(c.Account, c.Path, c.Name) }

func certificateARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":server-certificate" + path + name
}

func (c *certificate) metadata() api.ServerCertificateMetadata {
	return api.ServerCertificateMetadata{
		Path: c.Path, ServerCertificateName: c.Name, ServerCertificateId: c.ID, Arn: c.arn(), UploadDate: &c.Uploaded, Expiration: &c.Expires,
	}
}

// findCertificate reads a server certificate, or answers NoSuchEntity.
func findCertificate(r store.Reader, account, name string) (*certificate, error) {
	c, ok, err := record.Get[certificate](r, certificateKey(account, name))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fail(missing, 404, "The Server Certificate with name %s cannot be found.", name)
	}
	return &c, nil
}

// changeCertificate reads a server certificate, lets fn change it and writes it back.
func (s *IAM) changeCertificate(ctx context.Context, name string, fn func(tx store.Txn, c *certificate) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		c, err := findCertificate(tx, account(ctx), name)
		if err != nil {
			return err
		}
		if err := fn(tx, c); err != nil {
			return err
		}
		return record.Set(tx, certificateKey(c.Account, c.Name), c)
	})
}

// viewCertificate reads a server certificate outside of a transaction.
func (s *IAM) viewCertificate(ctx context.Context, name string) (c *certificate, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = findCertificate(r, account(ctx), name)
		return err
	})
	return c, err
}

func (s *IAM) uploadServerCertificate(ctx context.Context, in *api.UploadServerCertificateInput) (*api.UploadServerCertificateOutput, error) {
	path, err := pathOf(in.Path)
	if err != nil {
		return nil, err
	}
	c := certificate{Account: account(ctx), Name: in.ServerCertificateName, Path: path, Uploaded: s.now(), Body: in.CertificateBody}
	if in.CertificateChain != nil {
		c.Chain = *in.CertificateChain
	}
	if c.Tags, err = merge(nil, in.Tags); err != nil {
		return nil, err
	}
	if c.Expires, err = checkPair(c.Body, c.Chain, in.PrivateKey, c.Uploaded); err != nil {
		return nil, err
	}
	if c.ID, err = token.NewID(token.PrefixCertificate, s.deps.Random); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	if c.Key, err = s.ring.Seal(certificatePurpose(c.ID), []byte(in.PrivateKey)); err != nil {
		return nil, fmt.Errorf("seal a private key: %w", err)
	}
	err = s.update(ctx, func(tx store.Txn) error {
		have, err := record.List[certificate](tx, all(c.Account, "certificate").Span())
		switch {
		case err != nil:
			return err
		case slices.ContainsFunc(have, func(h certificate) bool { return strings.EqualFold(h.Name, c.Name) }):
			return exists("The Server Certificate", c.Name)
		case len(have) >= certificateQuota:
			return limit("Cannot exceed quota for ServerCertificatesPerAccount: %d", certificateQuota)
		}
		return record.Set(tx, certificateKey(c.Account, c.Name), c)
	})
	if err != nil {
		return nil, err
	}
	return &api.UploadServerCertificateOutput{ServerCertificateMetadata: ptr(c.metadata()), Tags: c.Tags}, nil
}

func (s *IAM) getServerCertificate(ctx context.Context, in *api.GetServerCertificateInput) (*api.GetServerCertificateOutput, error) {
	c, err := s.viewCertificate(ctx, in.ServerCertificateName)
	if err != nil {
		return nil, err
	}
	return &api.GetServerCertificateOutput{ServerCertificate: &api.ServerCertificate{
		ServerCertificateMetadata: ptr(c.metadata()), CertificateBody: c.Body, CertificateChain: text(c.Chain), Tags: c.Tags,
	}}, nil
}

func (s *IAM) listServerCertificates(ctx context.Context, in *api.ListServerCertificatesInput) (*api.ListServerCertificatesOutput, error) {
	var items []certificate
	err := s.deps.Store.View(ctx, func(r store.Reader) (err error) {
		items, err = record.List[certificate](r, all(account(ctx), "certificate").Span())
		return err
	})
	if err != nil {
		return nil, err
	}
	if in.PathPrefix != nil {
		items = slices.DeleteFunc(items, func(c certificate) bool { return !strings.HasPrefix(c.Path, *in.PathPrefix) })
	}
	out := &api.ListServerCertificatesOutput{}
	items, out.IsTruncated, out.Marker, err = page(items, in.Marker, in.MaxItems, func(c *certificate) string { return c.Name })
	out.ServerCertificateMetadataList = mapped(items, (*certificate).metadata)
	return out, err
}

func (s *IAM) updateServerCertificate(ctx context.Context, in *api.UpdateServerCertificateInput) (*api.UpdateServerCertificateOutput, error) {
	return &api.UpdateServerCertificateOutput{}, s.changeCertificate(ctx, in.ServerCertificateName, func(tx store.Txn, c *certificate) (err error) {
		if in.NewPath != nil {
			if c.Path, err = pathOf(in.NewPath); err != nil {
				return err
			}
		}
		if in.NewServerCertificateName == nil || *in.NewServerCertificateName == c.Name {
			return nil
		}
		name := *in.NewServerCertificateName
		if !strings.EqualFold(name, c.Name) {
			if has, err := record.Has(tx, certificateKey(c.Account, name)); err != nil {
				return err
			} else if has {
				return exists("The Server Certificate", name)
			}
		}
		tx.Delete(certificateKey(c.Account, c.Name))
		c.Name = name
		return nil
	})
}

// deleteServerCertificate never finds a certificate in use: nothing here takes one of IAM.
func (s *IAM) deleteServerCertificate(ctx context.Context, in *api.DeleteServerCertificateInput) (*api.DeleteServerCertificateOutput, error) {
	return &api.DeleteServerCertificateOutput{}, s.update(ctx, func(tx store.Txn) error {
		c, err := findCertificate(tx, account(ctx), in.ServerCertificateName)
		if err != nil {
			return err
		}
		tx.Delete(certificateKey(c.Account, c.Name))
		return nil
	})
}

func (s *IAM) tagServerCertificate(ctx context.Context, in *api.TagServerCertificateInput) (*api.TagServerCertificateOutput, error) {
	return &api.TagServerCertificateOutput{}, s.changeCertificate(ctx, in.ServerCertificateName, func(_ store.Txn, c *certificate) (err error) {
		c.Tags, err = merge(c.Tags, in.Tags)
		return err
	})
}

func (s *IAM) untagServerCertificate(ctx context.Context, in *api.UntagServerCertificateInput) (*api.UntagServerCertificateOutput, error) {
	return &api.UntagServerCertificateOutput{}, s.changeCertificate(ctx, in.ServerCertificateName, func(_ store.Txn, c *certificate) error {
		c.Tags = without(c.Tags, in.TagKeys)
		return nil
	})
}

func (s *IAM) listServerCertificateTags(ctx context.Context, in *api.ListServerCertificateTagsInput) (*api.ListServerCertificateTagsOutput, error) {
	c, err := s.viewCertificate(ctx, in.ServerCertificateName)
	if err != nil {
		return nil, err
	}
	return &api.ListServerCertificateTagsOutput{Tags: c.Tags, IsTruncated: ptr(false)}, nil
}
