package decode

// field is a key of an execution or of its history.
type field uint8

const (
	fieldUnknown field = iota
	fieldID
	fieldScope
	fieldName
	fieldLocation
	fieldFile
	fieldResult
	fieldFailureReason
	fieldFailureExpanded
	fieldHistory
	fieldTags
	fieldExternalID
	fieldDuration
)

func executionField(key string) field {
	switch key {
	case "id":
		return fieldID
	case "scope":
		return fieldScope
	case "name":
		return fieldName
	case "location":
		return fieldLocation
	case "file_name":
		return fieldFile
	case "result":
		return fieldResult
	case "failure_reason":
		return fieldFailureReason
	case "failure_expanded":
		return fieldFailureExpanded
	case "history":
		return fieldHistory
	case "tags":
		return fieldTags
	case "external_id":
		return fieldExternalID
	}
	return fieldUnknown
}

func historyField(key string) field {
	if key == "duration" {
		return fieldDuration
	}
	return fieldUnknown
}

// isFact reports whether detection reads the field.
func (f field) isFact() bool {
	switch f {
	case fieldScope, fieldName, fieldLocation, fieldFile, fieldResult, fieldFailureReason, fieldFailureExpanded, fieldTags:
		return true
	default:
		return false
	}
}
