package lambda

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/store"
)

// downloadLife is how long the address of a zip file works, https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html.
const downloadLife = 10 * time.Minute

// downloadPath is where zip files are downloaded: followed by the blob's id, the Unix time at which the address ends, and a signature of both.
const downloadPath = "/_aws/lambda-code"

// download is an address from which whoever has it can download a zip file for a while.
func (l *Lambda) download(ctx context.Context, id blob.ID) (string, error) {
	secret, err := l.downloadSecret(ctx)
	if err != nil {
		return "", err
	}
	ends := strconv.FormatInt(l.deps.Clock.Now().Add(downloadLife).Unix(), 10)
	return l.deps.BaseURL + downloadPath + "/" + string(id) + "/" + ends + "/" + signDownload(secret, string(id), ends), nil
}

func signDownload(secret []byte, id, ends string) string {
	m := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(m, id+"\x00"+ends)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// downloadSecret is the key that signs the addresses. It is made when it is needed first.
func (l *Lambda) downloadSecret(ctx context.Context) (secret []byte, err error) {
	read := func(rd store.Reader) error {
		b, err := rd.Get(downloadKey())
		secret = append([]byte(nil), b...)
		return err
	}
	if err := l.deps.Store.View(ctx, read); !errors.Is(err, store.ErrNotFound) {
		return secret, err
	}
	fresh := make([]byte, sha256.Size)
	if _, err := io.ReadFull(l.deps.Random, fresh); err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := read(tx); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		secret = fresh
		tx.Set(downloadKey(), fresh)
		return nil
	})
	return secret, unavailable(err)
}

// serveDownload answers with a zip file.
func (l *Lambda) serveDownload(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(front.RoutePath(r), "/"), "/")
	if r.Method != http.MethodGet && r.Method != http.MethodHead || len(parts) != 3 {
		http.NotFound(w, r)
		return
	}
	id, ends := parts[0], parts[1]
	secret, err := l.downloadSecret(r.Context())
	if err != nil {
		l.deps.Log.ErrorContext(r.Context(), "code was not served", slog.Any("error", err))
		http.Error(w, "the code cannot be read now", http.StatusInternalServerError)
		return
	}
	until, err := strconv.ParseInt(ends, 10, 64)
	if err != nil || !hmac.Equal([]byte(parts[2]), []byte(signDownload(secret, id, ends))) || l.deps.Clock.Now().Unix() > until {
		http.Error(w, "This address is not valid, or not any more. Ask for the function or the layer version again.", http.StatusForbidden)
		return
	}
	l.sendBlob(w, r, blob.ID(id))
}

func (l *Lambda) sendBlob(w http.ResponseWriter, r *http.Request, id blob.ID) {
	b, err := l.deps.Blobs.Open(r.Context(), id, blob.Whole())
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { _ = b.Close() }()
	w.Header().Set("Content-Type", "application/zip")
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, b); err != nil {
		l.deps.Log.InfoContext(r.Context(), "code was not sent to its end", slog.Any("error", err))
	}
}
