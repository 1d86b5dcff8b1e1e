package trackside

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"

	wit "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_artifacts"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/runtime"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

const (
	// Bytes fetched or sent per host call: the cost of a call is far below that of copying them.
	chunk = 64 << 10
	// The most that the host takes in one call.
	maxCall = 1 << 20
	// The most that an input document or a value of the state has, unless the box allows more.
	maxDocument = 2 << 20
)

// Artifact is immutable.
type Artifact struct {
	Name      string
	MediaType string
	Size      int64
	// Digest is `sha256:…`, or "" when it is not known.
	Digest string

	inner *wit.Artifact
}

func newArtifact(inner *wit.Artifact) *Artifact {
	stat := runtime.Call(inner.Stat)
	artifact := &Artifact{Name: stat.Name, MediaType: stat.MediaType, Size: int64(stat.Size), inner: inner}
	if digest, ok := stat.Digest.Get(); ok {
		artifact.Digest = digest.Algorithm + ":" + digest.Hex
	}
	return artifact
}

// Open reads from the first byte to the last.
func (a *Artifact) Open() (io.ReadCloser, error) {
	inner, err := call(artifactCases, a.Name, a.inner.Open)
	return &reader{read: inner.Read, drop: inner.Drop}, err
}

// OpenRange reads length bytes from offset, or to the end when length is negative.
func (a *Artifact) OpenRange(offset, length int64) (io.ReadCloser, error) {
	bound := types.None[uint64]()
	if length >= 0 {
		bound = types.Some(uint64(length))
	}
	inner, err := call(artifactCases, a.Name, func() types.Result[*wit.Reader, wit.ArtifactError] {
		return a.inner.OpenRange(uint64(offset), bound)
	})
	return &reader{read: inner.Read, drop: inner.Drop}, err
}

// ReadAt fills the slice from offset, as io.ReaderAt: zip and its like can use it.
func (a *Artifact) ReadAt(into []byte, offset int64) (int, error) {
	read := 0
	for read < len(into) {
		part, err := callFor(min(len(into)-read, maxCall), artifactCases, a.Name, func() types.Result[[]byte, wit.ArtifactError] {
			return a.inner.ReadAt(uint64(offset)+uint64(read), uint32(min(len(into)-read, maxCall)))
		})
		if err != nil {
			return read, err
		}
		if len(part) == 0 {
			return read, io.EOF
		}
		read += copy(into[read:], part)
	}
	return read, nil
}

// Lines are its lines without their line feed; a last line without one counts too. A line is valid until the next one. An
// error ends them.
func (a *Artifact) Lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		file, err := a.Open()
		if err != nil {
			yield(nil, err)
			return
		}
		defer file.Close()
		for line, err := range lines(file) {
			if !yield(line, err) {
				return
			}
		}
	}
}

func lines(file io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		buffered := bufio.NewReaderSize(file, chunk)
		var long []byte
		for {
			part, err := buffered.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				long = append(long, part...)
				continue
			}
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			if len(long) > 0 {
				part = append(long, part...)
				long = part[:0]
			}
			if err == io.EOF && len(part) == 0 {
				return
			}
			if err == nil {
				part = part[:len(part)-1]
			}
			if !yield(part, nil) || err == io.EOF {
				return
			}
		}
	}
}

// Bytes is the whole content, when it has at most limit bytes.
func (a *Artifact) Bytes(limit int64) ([]byte, error) {
	if a.Size > limit {
		return nil, Fatal("too-large", "%s has %d bytes; at most %d are read", a.Name, a.Size, limit)
	}
	file, err := a.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// JSON decodes the content into value, when it has at most limit bytes.
func (a *Artifact) JSON(limit int64, value any) error {
	content, err := a.Bytes(limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, value); err != nil {
		return Fatal("bad-json", "%s: %w", a.Name, err)
	}
	return nil
}

// A resource of the host as an io.Reader.
type reader struct {
	read func(max uint32) types.Result[[]byte, wit.ArtifactError]
	drop func()
	rest []byte
	end  bool
}

func (r *reader) Read(into []byte) (int, error) {
	if len(r.rest) == 0 && !r.end && len(into) > 0 {
		part, err := callFor(chunk, artifactCases, "", func() types.Result[[]byte, wit.ArtifactError] { return r.read(chunk) })
		if err != nil {
			return 0, err
		}
		r.rest, r.end = part, len(part) == 0
	}
	if r.end {
		return 0, io.EOF
	}
	count := copy(into, r.rest)
	r.rest = r.rest[count:]
	return count, nil
}

func (r *reader) Close() error {
	r.end = true
	send(r.drop)
	return nil
}

// Writer writes a new artifact in order; small writes are gathered. Without Commit nothing remains of it.
type Writer struct {
	inner   *wit.ArtifactWriter
	pending []byte
	written int64
}

// Write appends bytes.
func (w *Writer) Write(data []byte) (int, error) {
	if len(w.pending)+len(data) > chunk {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	if len(data) >= chunk {
		return len(data), w.send(data)
	}
	w.pending = append(w.pending, data...)
	return len(data), nil
}

// WriteLine appends a line and its line feed.
func (w *Writer) WriteLine(line []byte) error {
	if _, err := w.Write(line); err != nil {
		return err
	}
	_, err := w.Write([]byte{'\n'})
	return err
}

func (w *Writer) flush() error {
	err := w.send(w.pending)
	w.pending = w.pending[:0]
	return err
}

func (w *Writer) send(data []byte) error {
	for len(data) > 0 {
		part := data[:min(len(data), maxCall)]
		_, err := call(artifactCases, "", func() types.Result[types.Unit, wit.ArtifactError] { return w.inner.Write(part) })
		if err != nil {
			return err
		}
		w.written += int64(len(part))
		data = data[len(part):]
	}
	return nil
}

// Written is how many bytes it has.
func (w *Writer) Written() int64 { return w.written + int64(len(w.pending)) }

// Splice appends length bytes of another artifact from offset, all of them when length is negative; none of them enters
// the plugin's memory.
func (w *Writer) Splice(source *Artifact, offset, length int64) error {
	if err := w.flush(); err != nil {
		return err
	}
	bound := types.None[uint64]()
	if length >= 0 {
		bound = types.Some(uint64(length))
	}
	copied, err := call(artifactCases, source.Name, func() types.Result[uint64, wit.ArtifactError] {
		return w.inner.SpliceFrom(source.inner, uint64(offset), bound)
	})
	w.written += int64(copied)
	return err
}

// Attribute attaches a key and value for people and tools.
func (w *Writer) Attribute(key, value string) error {
	_, err := call(artifactCases, "", func() types.Result[types.Unit, wit.ArtifactError] { return w.inner.SetAttribute(key, value) })
	return err
}

// Commit makes it durable. Later steps see it if this step succeeds.
func (w *Writer) Commit() (*Artifact, error) {
	if err := w.flush(); err != nil {
		return nil, err
	}
	inner, err := call(artifactCases, "", w.inner.Commit)
	if err != nil {
		return nil, err
	}
	return newArtifact(inner), nil
}
