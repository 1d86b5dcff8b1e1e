package trackside

import (
	"encoding/binary"
	"math"

	wit "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_inference"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/runtime"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// Element is the type of a tensor's elements.
type Element = wit.ElementType

// Element types.
const (
	Boolean  Element = wit.ElementType_Boolean
	Uint8    Element = wit.ElementType_Uint8
	Int8     Element = wit.ElementType_Int8
	Uint16   Element = wit.ElementType_Uint16
	Int16    Element = wit.ElementType_Int16
	Uint32   Element = wit.ElementType_Uint32
	Int32    Element = wit.ElementType_Int32
	Uint64   Element = wit.ElementType_Uint64
	Int64    Element = wit.ElementType_Int64
	Float16  Element = wit.ElementType_Float16
	BFloat16 Element = wit.ElementType_Bfloat16
	Float32  Element = wit.ElementType_Float32
	Float64  Element = wit.ElementType_Float64
	Text     Element = wit.ElementType_Text
)

// Tensor is held by the host.
type Tensor struct {
	inner *wit.Tensor
}

// NewTensor is made of little-endian bytes in row-major order.
func NewTensor(element Element, shape []uint32, data []byte) (*Tensor, error) {
	return made(func() types.Result[*wit.Tensor, wit.InferenceError] { return wit.TensorFromBytes(element, shape, data) })
}

// NewFloat32 is a tensor of 32-bit floats.
func NewFloat32(shape []uint32, values []float32) (*Tensor, error) {
	data := make([]byte, 0, 4*len(values))
	for _, value := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(value))
	}
	return NewTensor(Float32, shape, data)
}

// NewText is a tensor of strings.
func NewText(shape []uint32, values []string) (*Tensor, error) {
	return made(func() types.Result[*wit.Tensor, wit.InferenceError] { return wit.TensorFromText(shape, values) })
}

// TensorFromArtifact is made of an artifact's bytes; none of them enters the plugin's memory.
func TensorFromArtifact(element Element, shape []uint32, source *Artifact, offset int64) (*Tensor, error) {
	return made(func() types.Result[*wit.Tensor, wit.InferenceError] {
		return wit.TensorFromArtifact(element, shape, source.inner, uint64(offset))
	})
}

func made(host func() types.Result[*wit.Tensor, wit.InferenceError]) (*Tensor, error) {
	inner, err := call(inferenceCases, "", host)
	if err != nil {
		return nil, err
	}
	return &Tensor{inner}, nil
}

// Element is the element type.
func (t *Tensor) Element() Element { return runtime.Call(t.inner.Element) }

// Shape has the outermost dimension first.
func (t *Tensor) Shape() []uint32 { return runtime.Call(t.inner.Shape) }

// Bytes are all bytes, little-endian.
func (t *Tensor) Bytes() ([]byte, error) {
	length := runtime.Call(t.inner.ByteLength)
	data := make([]byte, 0, length)
	for uint64(len(data)) < length {
		part, err := callFor(maxCall, inferenceCases, "", func() types.Result[[]byte, wit.InferenceError] {
			return t.inner.ReadAt(uint64(len(data)), maxCall)
		})
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			return nil, Fatal("bad-tensor", "the host gave fewer bytes than it announced")
		}
		data = append(data, part...)
	}
	return data, nil
}

// Float32 are all elements of a float32 tensor.
func (t *Tensor) Float32() ([]float32, error) {
	if t.Element() != Float32 {
		return nil, Fatal("bad-tensor", "the tensor does not hold float32")
	}
	data, err := t.Bytes()
	values := make([]float32, len(data)/4)
	for at := range values {
		values[at] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*at:]))
	}
	return values, err
}

// Model is pinned to one version.
type Model struct {
	inner *wit.Model
}

// Model opens a model. Needs `allow: { models: [NAME] }`.
func (*Step) Model(name string) (*Model, error) {
	inner, err := call(inferenceCases, name, func() types.Result[*wit.Model, wit.InferenceError] { return wit.ModelOpen(name) })
	if err != nil {
		return nil, err
	}
	return &Model{inner}, nil
}

// Digest is that of the version in use.
func (m *Model) Digest() string { return runtime.Call(m.inner.Digest) }

// Run gives all outputs by name.
func (m *Model) Run(inputs map[string]*Tensor) (map[string]*Tensor, error) {
	given := make([]types.Tuple2[string, *wit.Tensor], 0, len(inputs))
	for name, tensor := range inputs {
		given = append(given, types.Tuple2[string, *wit.Tensor]{F0: name, F1: tensor.inner})
	}
	made, err := call(inferenceCases, "", func() types.Result[[]types.Tuple2[string, *wit.Tensor], wit.InferenceError] {
		return m.inner.Run(given, nil)
	})
	outputs := make(map[string]*Tensor, len(made))
	for _, output := range made {
		outputs[output.F0] = &Tensor{output.F1}
	}
	return outputs, err
}
