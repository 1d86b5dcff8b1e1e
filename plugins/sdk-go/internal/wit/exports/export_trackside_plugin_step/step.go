// Package export_trackside_plugin_step is where the generated export `step` finds what it runs.
package export_trackside_plugin_step

import (
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_common"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_step"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// Run is set by the SDK before the host calls anything.
var Run func() types.Result[trackside_plugin_step.Outcome, trackside_plugin_common.StepError]
