//! Apache Parquet, for programs that read columns: one row for each record, the stored names.
//!
//! Numbers are numbers, `timestamp` is an instant, everything else is text; what is a list or an
//! object in the record is its JSON. Rows are gathered into groups, which is what bounds memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::columns::{COLUMNS, REST};
use super::{ExportError, one_line};
use crate::clock::Timestamp;
use crate::wire::{Object, Raw};

/// The rows of a group.
const GROUP: usize = 4096;
/// Columns of whole numbers.
const NUMBERS: [&str; 7] = [
    "seq",
    "http_status",
    "rpc_error",
    "bytes_out",
    "duration_ms",
    "host_pid",
    "session",
];
/// The column of instants.
const INSTANT: &str = "timestamp";
/// The column of truth values.
const TRUTH: &str = "is_error";

/// A table that is being written.
pub(super) struct Table<'a> {
    writer: SerializedFileWriter<Pipe>,
    pipe: Pipe,
    out: &'a mut dyn Write,
    columns: Vec<Column>,
    rows: usize,
}

/// The values of one column in a group; a row that has none has the level 0.
struct Column {
    name: &'static str,
    values: Values,
    levels: Vec<i16>,
}

enum Values {
    Numbers(Vec<i64>),
    Truths(Vec<bool>),
    Texts(Vec<ByteArray>),
}

/// Bytes on their way out: the library wants to own where it writes.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pipe {
    fn take(&self) -> Vec<u8> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting)
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Result<Self, ExportError> {
        let columns: Vec<Column> = names().map(Column::new).collect();
        let members: String = columns.iter().map(Column::declaration).collect();
        let schema = parse_message_type(&format!("message records {{ {members} }}"))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("chaperone ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let pipe = Pipe::default();
        let writer = SerializedFileWriter::new(pipe.clone(), schema.into(), properties.into())?;
        Ok(Self {
            writer,
            pipe,
            out,
            columns,
            rows: 0,
        })
    }

    /// Adds one record.
    pub(super) fn row(&mut self, seq: u64, json: &str) -> Result<(), ExportError> {
        let body = Raw::parse(json).map_err(|_| ExportError::Unreadable { seq })?;
        let members = Object::of(&body, &[]).map_err(|_| ExportError::Unreadable { seq })?;
        let rest = members.without(&COLUMNS);
        for column in &mut self.columns {
            let value = match column.name {
                REST => Some(rest.get()).filter(|rest| *rest != "{}"),
                name => members.get(name).map(Raw::get),
            };
            column.add(value);
        }
        self.rows += 1;
        if self.rows < GROUP {
            return Ok(());
        }
        self.group()
    }

    /// Writes what is gathered, and the table's end.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        if self.rows > 0 {
            self.group()?;
        }
        self.writer.finish()?;
        Ok(self.out.write_all(&self.pipe.take())?)
    }

    fn group(&mut self) -> Result<(), ExportError> {
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let writer = group.next_column()?;
            let writer = writer.ok_or_else(|| ParquetError::General("a column less".into()))?;
            column.write(writer)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(self.out.write_all(&self.pipe.take())?)
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter().chain([REST])
}

impl Column {
    fn new(name: &'static str) -> Self {
        let values = if name == TRUTH {
            Values::Truths(Vec::new())
        } else if name == INSTANT || NUMBERS.contains(&name) {
            Values::Numbers(Vec::new())
        } else {
            Values::Texts(Vec::new())
        };
        Self {
            name,
            values,
            levels: Vec::new(),
        }
    }

    fn declaration(&self) -> String {
        let name = self.name;
        match self.values {
            Values::Numbers(_) if name == INSTANT => {
                format!("optional int64 {name} (TIMESTAMP(MILLIS,true)); ")
            }
            Values::Numbers(_) => format!("optional int64 {name}; "),
            Values::Truths(_) => format!("optional boolean {name}; "),
            Values::Texts(_) => format!("optional binary {name} (UTF8); "),
        }
    }

    /// A value of another kind than the column's is left empty; the record itself keeps it.
    fn add(&mut self, json: Option<&str>) {
        let json = json.filter(|json| *json != "null");
        let added = json.and_then(|json| match &mut self.values {
            Values::Numbers(numbers) if self.name == INSTANT => {
                let text: String = serde_json::from_str(json).ok()?;
                numbers.push(Timestamp::parse(&text).ok()?.millis());
                Some(())
            }
            Values::Numbers(numbers) => {
                numbers.push(json.parse().ok()?);
                Some(())
            }
            Values::Truths(truths) => {
                truths.push(json.parse().ok()?);
                Some(())
            }
            Values::Texts(texts) => {
                let text = serde_json::from_str::<String>(json);
                let text = text.unwrap_or_else(|_| one_line(json).into_owned());
                texts.push(text.into_bytes().into());
                Some(())
            }
        });
        self.levels.push(i16::from(added.is_some()));
    }

    fn write(&mut self, mut writer: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        match &mut self.values {
            Values::Numbers(values) => put::<Int64Type>(&mut writer, values, &levels)?,
            Values::Truths(values) => put::<BoolType>(&mut writer, values, &levels)?,
            Values::Texts(values) => put::<ByteArrayType>(&mut writer, values, &levels)?,
        }
        writer.close()
    }
}

fn put<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    let column = writer.typed::<T>();
    column.write_batch(values, Some(levels), None)?;
    values.clear();
    Ok(())
}
