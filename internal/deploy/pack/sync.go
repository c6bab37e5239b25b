package pack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// SyncFile is a file that belongs into a bucket.
type SyncFile struct {
	// Key is the object key.
	Key string
	// Path is the file, whose content is Content when that is not nil.
	Path    string
	Content []byte
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9]+)\}`)

// Files lists what belongs into the bucket, with the outputs of the stack filled in where Config names them.
func (s *Sync) Files(outputs map[string]string) ([]SyncFile, error) {
	files, err := folderFiles(s.Dir, maxFiles)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.Dir, err)
	}
	list := make([]SyncFile, 0, len(files))
	found := s.Config == ""
	for _, f := range files {
		entry := SyncFile{Key: f.name, Path: f.path}
		if f.name == filepath.ToSlash(filepath.Clean(s.Config)) {
			found = true
			if entry.Content, err = s.fill(f.path, outputs); err != nil {
				return nil, err
			}
		}
		list = append(list, entry)
	}
	if !found {
		return nil, fmt.Errorf("%s: there is no %s in %s, which Metadata.Lambent.Config names", s.LogicalID, s.Config, s.Dir)
	}
	return list, nil
}

func (s *Sync) fill(path string, outputs map[string]string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var missing []string
	text := placeholder.ReplaceAllStringFunc(string(raw), func(match string) string {
		value, ok := outputs[match[2:len(match)-1]]
		if !ok {
			missing = append(missing, match)
		}
		return value
	})
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: the stack has no output for %s", path, strings.Join(missing, ", "))
	}
	return []byte(text), nil
}
