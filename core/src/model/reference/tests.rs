use super::*;
use crate::json;

fn stored(body: &str) -> bool {
    to_stored_state(&json::parse_object(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}")))
}

fn elsewhere(body: &str) -> bool {
    to_elsewhere(&json::parse_object(body.as_bytes()).unwrap_or_else(|e| panic!("{body}: {e}")))
}

/// A user's message with this part, as the APIs have it.
fn with_part(part: &str) -> [String; 2] {
    [
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"a"}},{part}]}}]}}"#
        ),
        format!(r#"{{"input":[{{"role":"user","content":[{part}]}}]}}"#),
    ]
}

#[test]
fn a_body_may_point_at_what_is_stored() {
    for body in [
        r#"{"previous_response_id":"resp_1"}"#,
        r#"{"previous_response_id":""}"#,
        r#"{"previous_response_id":1}"#,
        r#"{"conversation":"conv_1"}"#,
        r#"{"conversation":{"id":"conv_1"}}"#,
        r#"{"prompt":{"id":"pmpt_1"}}"#,
        r#"{"prompt":{"id":"pmpt_1","version":"2","variables":{"a":"b"}}}"#,
        r#"{"prompt":{}}"#,
        r#"{"prompt":[{"id":"pmpt_1"}]}"#,
        r#"{"file_ids":["file-1"]}"#,
        r#"{"attachments":[{"file_id":"file-1","tools":[]}]}"#,
        r#"{"messages":[{"role":"user","content":"a","attachments":[{"file_id":"file-1"}]}]}"#,
        r#"{"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}]}"#,
        r#"{"system":[{"type":"document","source":{"type":"file","file_id":"f"}}]}"#,
        r#"{"container":"container_1"}"#,
        r#"{"container":{"id":"container_1"}}"#,
        r#"{"container":{"skills":[{"type":"custom","skill_id":"skill_1"}]}}"#,
        r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}"#,
        r#"{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}"#,
        r#"{"tools":[{"type":"code_interpreter","container":{"type":"auto","file_ids":["file-1"]}}]}"#,
        r#"{"tools":[{"type":"image_generation","input_image_mask":{"file_id":"file-1"}}]}"#,
        r#"{"tools":[{"type":"shell","environment":{"type":"container_reference","container_id":"c"}}]}"#,
        r#"{"tools":[{"type":"shell","environment":{"type":"container_auto","skills":[{"type":"skill_reference","skill_id":"s"}]}}]}"#,
        r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#,
        r#"{"input":[{"id":"msg_1"}]}"#,
        r#"{"input":[{"id":"msg_1","type":null}]}"#,
        r#"{"input":["a",{"id":"msg_1","content":null}]}"#,
        r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[]}]}"#,
        r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":null}]}"#,
        r#"{"input":[{"type":"image_generation_call","id":"ig_1"}]}"#,
        r#"{"input":[{"type":"code_interpreter_call","id":"ci_1","container_id":"cntr_1","code":"1"}]}"#,
        r#"{"input":[{"type":"computer_call_output","call_id":"c","output":{"type":"computer_screenshot","file_id":"file-1"}}]}"#,
        r#"{"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_file","file_id":"file-1"}]}]}"#,
        // As careless readers find it.
        r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"File_ID":"file-1"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file\u005fid":"file-1"}}]}]}"#,
        r#"{"Metadata":{"file_id":"file-1"}}"#,
        // The exception for what a model called a function with is for messages alone.
        r#"{"type":"tool_use","input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]}"#,
    ] {
        assert!(stored(body), "{body}");
        assert!(elsewhere(body), "{body}");
    }
    for part in [
        r#"{"type":"file","file":{"file_id":"file-1"}}"#,
        r#"{"type":"file","file":{"filename":"a.pdf","file_id":"file-1"}}"#,
        r#"{"type":"input_file","file_id":"file-1"}"#,
        r#"{"type":"input_image","file_id":"file-1","image_url":null}"#,
        r#"{"type":"document","source":{"type":"file","file_id":"file_1"}}"#,
        r#"{"type":"image","source":{"type":"file","file_id":"file_1"}}"#,
        r#"{"type":"container_upload","file_id":"file_1"}"#,
        r#"{"type":"unknown","deep":[[{"deeper":{"file_id":"file_1"}}]]}"#,
    ] {
        for body in with_part(part) {
            assert!(stored(&body), "{body}");
            assert!(elsewhere(&body), "{body}");
        }
    }
}

#[test]
fn a_body_may_contain_all_that_it_is_about() {
    for body in [
        "{}",
        r#"{"model":"a","messages":[]}"#,
        r#"{"messages":[{"role":"user","content":"file_id previous_response_id"}]}"#,
        r#"{"messages":[{"role":"assistant","content":null,"audio":null}]}"#,
        r#"{"previous_response_id":null,"conversation":null,"prompt":null,"container":null}"#,
        r#"{"prompt":"file_id"}"#,
        r#"{"prompt":["a","b"]}"#,
        r#"{"prompt":[1,2,3]}"#,
        r#"{"prompt":[[1,2],[3]]}"#,
        r#"{"prompt":[]}"#,
        r#"{"input":"item_reference"}"#,
        r#"{"input":["a","b"]}"#,
        r#"{"input":[[1,2],[3]]}"#,
        r#"{"input":[{"role":"user","content":"a"}]}"#,
        r#"{"input":[{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}]}]}"#,
        r#"{"input":[{"id":"msg_1","role":"assistant","content":"a"}]}"#,
        r#"{"input":[{"type":"function_call","id":"fc_1","call_id":"c","name":"f","arguments":"{\"file_id\":\"x\"}"}]}"#,
        r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"}]}"#,
        r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"x"}]}]}"#,
        r#"{"audio":{"voice":"alloy","format":"mp3"},"modalities":["text","audio"]}"#,
        r#"{"metadata":{"file_id":"mine","image_url":"mine"}}"#,
        r#"{"prompt_cache_key":"a","user":"b","store":true}"#,
        r#"{"file_ids":[]}"#,
        // What a function of the client takes, and was called with.
        r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"file_id":{"type":"string"},"file_ids":{"type":"array"},"image_url":{"type":"string"},"container":{"type":"object"},"audio":{"type":"object"}},"required":["file_id"]}}}]}"#,
        r#"{"tools":[{"name":"f","input_schema":{"type":"object","properties":{"file_id":{"type":"string"},"file":{"type":"string"}}}}]}"#,
        r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"file_id":"mine","image_url":"mine"}}]}]}"#,
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"file_id\":\"x\"}"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"file_id"}]}]}"#,
    ] {
        assert!(!stored(body), "{body}");
        assert!(!elsewhere(body), "{body}");
    }
}

#[test]
fn a_body_may_bring_what_its_size_does_not_show() {
    for part in [
        r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#,
        r#"{"image_url":"https://example.com/a.png"}"#,
        r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#,
        r#"{"type":"audio_url","audio_url":{"url":"https://example.com/a.wav"}}"#,
        r#"{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}"#,
        r#"{"type":"file","file":{"filename":"a.pdf","file_data":"AAAA"}}"#,
        r#"{"type":"input_image","image_url":"https://example.com/a.png"}"#,
        r#"{"type":"input_file","file_url":"https://example.com/a.pdf"}"#,
        r#"{"type":"input_file","filename":"a.pdf","file_data":"AAAA"}"#,
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}"#,
        r#"{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}"#,
        r#"{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"}}"#,
        r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"}}"#,
        r#"{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":""}}]}"#,
    ] {
        for body in with_part(part) {
            assert!(elsewhere(&body), "{body}");
            assert!(!stored(&body), "{body}");
        }
    }
    for body in [
        r#"{"input":[{"type":"image_generation_call","id":"ig_1","result":"AAAA"}]}"#,
        r#"{"input":[{"type":"computer_call_output","output":{"type":"computer_screenshot","image_url":"data:"}}]}"#,
        r#"{"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"web_search"}]}]}"#,
        r#"{"web_search_options":{}}"#,
        r#"{"mcp_servers":[{"type":"url","name":"a","url":"https://mcp.example.com/"}]}"#,
        r#"{"mcp_servers":{"a":1}}"#,
    ] {
        assert!(elsewhere(body), "{body}");
        assert!(!stored(body), "{body}");
    }
    for body in [
        r#"{"web_search_options":null,"mcp_servers":null,"tools":null}"#,
        r#"{"mcp_servers":[],"tools":[]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","image_url":null}]}]}"#,
        r#"{"messages":[{"role":"user","content":"image_url"}]}"#,
        r#"{"image_url":"nobody reads it here"}"#,
        r#"{"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"file"}}}}"#,
    ] {
        assert!(!elsewhere(body), "{body}");
    }
}

#[test]
fn a_medium_shows_in_its_type_or_in_a_member() {
    for (part, expected) in [
        (r#"{"type":"computer_screenshot"}"#, true),
        (r#"{"type":"container_upload"}"#, true),
        (r#"{"type":"document"}"#, true),
        (r#"{"type":"file"}"#, true),
        (r#"{"type":"image"}"#, true),
        (r#"{"type":"image_generation_call","result":"AAAA"}"#, true),
        (r#"{"type":"input_audio"}"#, true),
        (r#"{"type":"input_file"}"#, true),
        (r#"{"type":"input_image"}"#, true),
        (r#"{"audio_url":""}"#, true),
        (r#"{"file":{}}"#, true),
        (r#"{"file_data":""}"#, true),
        (r#"{"image_url":{}}"#, true),
        (r#"{"Image_URL":{}}"#, true),
        (r#"{"input_audio":{}}"#, true),
        (r#"{"video_url":""}"#, true),
        (r#"{"file":null,"image_url":null}"#, false),
        (r#"{"type":"text","text":"image"}"#, false),
        (r#"{"type":"input_text","filename":"a"}"#, false),
        ("\"image\"", false),
        ("{}", false),
    ] {
        let system = format!(r#"{{"system":[{part}]}}"#);
        for body in with_part(part).iter().chain([&system]) {
            assert_eq!(elsewhere(body), expected, "{body}");
            assert!(!stored(body), "{body}");
        }
    }
}

#[test]
fn tools_other_than_functions_bring_more() {
    for (tool, expected) in [
        (r#"{"type":"web_search"}"#, true),
        (r#"{"type":"web_search_preview"}"#, true),
        (
            r#"{"type":"web_search_20250305","name":"web_search"}"#,
            true,
        ),
        (r#"{"type":"web_fetch_20250910","name":"web_fetch"}"#, true),
        (
            r#"{"type":"code_interpreter","container":{"type":"auto"}}"#,
            true,
        ),
        (
            r#"{"type":"code_execution_20250825","name":"code_execution"}"#,
            true,
        ),
        (r#"{"type":"computer_use_preview"}"#, true),
        (r#"{"type":"computer_20250124","name":"computer"}"#, true),
        (r#"{"type":"bash_20250124","name":"bash"}"#, true),
        (r#"{"type":"image_generation"}"#, true),
        (r#"{"type":"local_shell"}"#, true),
        (
            r#"{"type":"mcp","server_label":"a","server_url":"https://mcp.example.com/"}"#,
            true,
        ),
        (r#"{"type":"mcp_toolset","mcp_server_name":"a"}"#, true),
        (r#"{"type":"Function"}"#, true),
        (r#"{"type":"function "}"#, true),
        (r#"{"type":""}"#, true),
        (r#"{"type":1}"#, true),
        (r#"{"type":["function"]}"#, true),
        (
            r#"{"type":"namespace","name":"a","tools":[{"type":"function"},{"type":"web_search"}]}"#,
            true,
        ),
        (r#""web_search""#, true),
        ("[]", true),
        ("null", true),
        (r#"{"type":"function","function":{"name":"f"}}"#, false),
        (r#"{"type":"function","name":"f"}"#, false),
        (r#"{"name":"f","input_schema":{"type":"object"}}"#, false),
        (r#"{"name":"f","type":null}"#, false),
        (r#"{"name":"f","type":"custom"}"#, false),
        (r#"{"type":"custom","custom":{"name":"f"}}"#, false),
        (
            r#"{"type":"namespace","name":"a","tools":[{"type":"function"},{"type":"custom"}]}"#,
            false,
        ),
        ("{}", false),
    ] {
        let function = r#"{"type":"function","function":{"name":"g"}}"#;
        for body in [
            format!(r#"{{"tools":[{tool}]}}"#),
            format!(r#"{{"tools":[{function},{tool}]}}"#),
            format!(r#"{{"tools":[{tool},{function}]}}"#),
        ] {
            assert_eq!(elsewhere(&body), expected, "{body}");
            assert!(!stored(&body), "{body}");
        }
    }
    assert!(elsewhere(r#"{"tools":{"type":"function"}}"#));
    assert!(elsewhere(r#"{"tools":"web_search"}"#));
}
