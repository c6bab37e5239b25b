package front

import (
	"io"
	"net/http"
)

// Recorder notes the status and the size of an answer. It passes ReadFrom on, so that files still leave by sendfile.
type Recorder struct {
	http.ResponseWriter

	// Status is the status that was sent; 0 before that.
	Status int
	// Written is how many bytes of the body were sent.
	Written int64
}

// Record returns w as a recorder: w itself when it is one, or else one that lies in room.
func Record(w http.ResponseWriter, room *Recorder) *Recorder {
	if r, ok := w.(*Recorder); ok {
		return r
	}
	*room = Recorder{ResponseWriter: w}
	return room
}

// WriteHeader notes the status.
func (w *Recorder) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.Status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (w *Recorder) Write(b []byte) (int, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.Written += int64(n)
	return n, err
}

// ReadFrom hands a file to the connection itself where that is possible.
func (w *Recorder) ReadFrom(r io.Reader) (int64, error) {
	if w.Status == 0 {
		w.Status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, r)
	w.Written += n
	return n, err
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *Recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
