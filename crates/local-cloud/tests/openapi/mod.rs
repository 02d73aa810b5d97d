//! Neon's OpenAPI description as a judge of answers.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// The description, with its schemas as JSON Schema.
pub struct Api {
    document: Value,
    components: Value,
}

/// A file of ../shared, which is not part of the project; none, and a word about it, where it is missing.
#[expect(clippy::print_stderr)] // A test that is skipped has to say so.
pub fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(file);
    if !path.is_file() {
        eprintln!("skipped: there is no ../shared/{file} beside the checkout");
        return None;
    }
    Some(path)
}

impl Api {
    /// None where the description is missing.
    pub fn load() -> Option<Self> {
        let text = std::fs::read_to_string(shared("api/neon-openapi.yaml")?).unwrap();
        let document: Value = serde_yaml_ng::from_str(&text).unwrap();
        let mut api = Self { document, components: Value::Null };
        let schemas = api.document["components"]["schemas"].as_object().unwrap();
        let converted: Map<_, _> = schemas.iter().map(|(name, schema)| (name.clone(), api.convert(schema, false))).collect();
        api.components = json!({ "schemas": converted });
        Some(api)
    }

    /// Method and path, with its parameters in braces, of every operation.
    pub fn operations(&self) -> Vec<(String, &str)> {
        let paths = self.document["paths"].as_object().unwrap();
        let methods = ["get", "post", "put", "patch", "delete"];
        paths
            .iter()
            .flat_map(|(path, item)| methods.iter().filter(|method| item[**method].is_object()).map(|m| (m.to_uppercase(), path.as_str())))
            .collect()
    }

    /// The path with its parameters in braces that this one is an instance of.
    pub fn template(&self, path: &str) -> &str {
        let path = path.split('?').next().unwrap();
        let fits = |template: &str| {
            let (mut a, mut b) = (template.split('/'), path.split('/'));
            template.matches('/').count() == path.matches('/').count()
                && a.all(|word| b.next().is_some_and(|w| w == word || word.starts_with('{')))
        };
        let candidates = self.document["paths"].as_object().unwrap().keys().filter(|template| fits(template));
        // /projects/shared is /projects/{project_id} too.
        candidates.min_by_key(|template| template.matches('{').count()).unwrap_or_else(|| panic!("the description has no {path}"))
    }

    /// What the answer to this call must not be, and is.
    pub fn faults(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        let responses = &self.document["paths"][self.template(path)][method.to_lowercase()]["responses"];
        let mut response =
            [&responses[status.to_string()], &responses["default"]].into_iter().find(|response| !response.is_null()).unwrap();
        if let Some(reference) = response["$ref"].as_str() {
            response = self.document.pointer(reference.trim_start_matches('#')).unwrap();
        }
        let Some(schema) = response.pointer("/content/application~1json/schema") else {
            return if body.is_null() { Vec::new() } else { vec!["no body is expected".to_owned()] };
        };
        let mut schema = self.convert(schema, true);
        schema["components"] = self.components.clone();
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// OpenAPI 3.0's dialect as JSON Schema. `closed` schemas take no property that they don't name: they stand alone, while
    /// the members of an `allOf` add up.
    fn convert(&self, schema: &Value, closed: bool) -> Value {
        let mut converted = Map::new();
        for (keyword, value) in schema.as_object().unwrap() {
            let value = match keyword.as_str() {
                "properties" => {
                    value.as_object().unwrap().iter().map(|(name, schema)| (name.clone(), self.convert(schema, true))).collect()
                }
                "items" => self.convert(value, true),
                "additionalProperties" if value.is_object() => self.convert(value, true),
                "allOf" | "oneOf" | "anyOf" => value.as_array().unwrap().iter().map(|schema| self.convert(schema, false)).collect(),
                "type"
                | "enum"
                | "required"
                | "$ref"
                | "additionalProperties"
                | "format"
                | "pattern"
                | "minimum"
                | "maximum"
                | "minLength"
                | "maxLength"
                | "minItems"
                | "maxItems"
                | "uniqueItems" => value.clone(),
                _ => continue,
            };
            converted.insert(keyword.clone(), value);
        }
        if closed && self.names_its_properties(schema) {
            converted.insert("unevaluatedProperties".to_owned(), json!(false));
        }
        if schema["nullable"] == true { json!({ "anyOf": [converted, { "type": "null" }] }) } else { Value::Object(converted) }
    }

    fn names_its_properties(&self, schema: &Value) -> bool {
        match schema["$ref"].as_str() {
            Some(reference) => self.names_its_properties(self.document.pointer(reference.trim_start_matches('#')).unwrap()),
            None => {
                let composed = ["allOf", "oneOf", "anyOf"].iter().any(|keyword| schema[keyword].is_array());
                schema["additionalProperties"].is_null() && (composed || schema["properties"].is_object())
            }
        }
    }
}
