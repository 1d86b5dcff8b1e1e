// Package export_trackside_plugin_describe is where the generated export `describe` finds what it answers.
package export_trackside_plugin_describe

import "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_describe"

// Describe is set by the SDK before the host calls anything.
var Describe func() trackside_plugin_describe.Descriptor
