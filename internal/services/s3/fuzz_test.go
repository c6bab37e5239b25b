package s3

import (
	"bytes"
	"hash/crc32"
	"testing"
)

func FuzzRange(f *testing.F) {
	for _, h := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=0-1,2-3", "bytes=", "bytes=--1", "x"} {
		f.Add(h, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		at, partial, ok := parseRange(header, size)
		if !ok {
			return
		}
		if at.offset < 0 || at.length < 0 || at.offset+at.length > size || partial && at.length == 0 {
			t.Errorf("range %q of %d bytes is %+v", header, size, at)
		}
	})
}

func FuzzCopySource(f *testing.F) {
	for _, h := range []string{"/b/k", "b/k%20?versionId=null", "b", "%", "arn:aws:s3:x"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if c, err := parseCopySource(header); err == nil && (c.bucket == "" || c.key == "") {
			t.Errorf("copy source %q is %+v", header, c)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	f.Add(publicRead)
	f.Add(`{"Statement":{"Effect":"Deny"}}`)
	f.Fuzz(func(_ *testing.T, document string) {
		statements, err := parsePolicy(document, "pictures")
		if err == nil {
			for _, s := range statements {
				s.public()
			}
		}
	})
}

func FuzzTagging(f *testing.F) {
	f.Add("a=b&c=d")
	f.Add("a=%zz")
	f.Fuzz(func(t *testing.T, header string) {
		if tags, err := parseTagging(header); err == nil && len(tags) > maxObjectTags {
			t.Errorf("%d tags", len(tags))
		}
	})
}

func FuzzRow(f *testing.F) {
	row, err := encodeRow(version{Seq: 1}, []byte("body"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Fuzz(func(t *testing.T, row []byte) {
		var v version
		inline, err := decodeRow(row, &v)
		if err == nil && len(inline) > len(row) {
			t.Error("a body longer than its row")
		}
	})
}

func FuzzCombineCRC(f *testing.F) {
	f.Add([]byte("123"), []byte("456789"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		got := combineCRC(crc32.IEEE, 32, uint64(crc32.ChecksumIEEE(a)), uint64(crc32.ChecksumIEEE(b)), int64(len(b)))
		if want := crc32.ChecksumIEEE(bytes.Join([][]byte{a, b}, nil)); uint32(got) != want {
			t.Errorf("combined CRC is %x, want %x", got, want)
		}
	})
}
