//! Stanford Cars 196 as `cars_annos.mat` describes it, and the two ways in which others split it.

use crate::plain_values::{numbers, text, texts};
use crate::{Dataset, Truth};
use sightline_checkpoint::Value;

/// One picture of the set.
#[derive(Clone, Debug, PartialEq)]
pub struct Car {
    /// Path below the data set's folder, such as `car_ims/000001.jpg`.
    pub path: String,
    /// Left, top, right, bottom in pixels.
    pub bbox: [f64; 4],
    /// Class, counted from 1.
    pub class: usize,
    /// Whether the makers' own (not the metric-learning) split puts it into the test part.
    pub test: bool,
}

/// The whole annotation file.
#[derive(Clone, Debug, PartialEq)]
pub struct Cars {
    /// In the order of the file.
    pub cars: Vec<Car>,
    /// Name of each class; class 1 is the first.
    pub class_names: Vec<String>,
}

/// Pictures of one class: its id counted from 0, and places in [`Cars::cars`].
pub type ClassMembers = (usize, Vec<usize>);

/// Whether a Matlab file is one of these.
pub fn is_cars(value: &Value) -> bool {
    value.get("annotations").is_some() && value.get("class_names").is_some()
}

impl Cars {
    /// Reads the variables `annotations` and `class_names`. Fields are taken by place, as the readers of others do:
    /// the first is the path, then the box, the last but one the class, the last the split.
    ///
    /// # Errors
    /// Says which picture lacks what, or has a class without a name.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let variable = |name: &str| {
            value
                .get(name)
                .ok_or_else(|| format!("it has no variable \"{name}\""))
        };
        let class_names =
            texts(variable("class_names")?).map_err(|reason| format!("in class_names, {reason}"))?;
        let Value::Struct(annotations) = variable("annotations")? else {
            return Err("the variable \"annotations\" is no structure".to_owned());
        };
        let mut cars = Vec::with_capacity(annotations.items.len());
        for (index, fields) in annotations.items.iter().enumerate() {
            let car = Self::car(fields, class_names.len());
            cars.push(car.map_err(|reason| format!("in annotation {}, {reason}", index + 1))?);
        }
        Ok(Self { cars, class_names })
    }

    fn car(fields: &[Value], classes: usize) -> Result<Car, String> {
        let [path, left, top, right, bottom, .., class, test] = fields else {
            return Err(format!("there are {} fields, not the usual seven", fields.len()));
        };
        let number = |field: &Value| match numbers(field)?[..] {
            [number] => Ok(number),
            _ => Err("a field that should hold one number does not".to_owned()),
        };
        let class = number(class)?;
        if class.fract() != 0.0 || class < 1.0 || class > classes as f64 {
            return Err(format!("the class is {class}, but there are {classes} classes"));
        }
        Ok(Car {
            path: text(path)?,
            bbox: [number(left)?, number(top)?, number(right)?, number(bottom)?],
            class: class as usize,
            test: number(test)? != 0.0,
        })
    }

    /// Training and validation part of the TensorFlow CGD project: category ids (class - 1) up to 98 train, which
    /// is one class more than usual. Classes by first appearance. Source:
    /// PuchatekwSzortach/combination_of_multiple_global_descriptors_for_image_retrieval, `net/data.py`.
    pub fn tensorflow_split(&self) -> (Vec<ClassMembers>, Vec<ClassMembers>) {
        self.split(99)
    }

    /// The usual split of metric learning, also leftthomas/CGD's: classes 1 to 98 train, the others test.
    pub fn usual_split(&self) -> (Vec<ClassMembers>, Vec<ClassMembers>) {
        self.split(98)
    }

    fn split(&self, training_classes: usize) -> (Vec<ClassMembers>, Vec<ClassMembers>) {
        let mut all: Vec<ClassMembers> = Vec::new();
        let mut places = vec![None; self.class_names.len()];
        for (index, car) in self.cars.iter().enumerate() {
            let id = car.class - 1;
            let place = *places[id].get_or_insert_with(|| {
                all.push((id, Vec::new()));
                all.len() - 1
            });
            all[place].1.push(index);
        }
        all.into_iter().partition(|(id, _)| *id < training_classes)
    }

    /// The test part of the usual split as a labelled set that queries itself: pictures in the order of the file,
    /// classes in the order of their numbers.
    pub fn test_set(&self, name: &str) -> Dataset {
        let (_, test) = self.usual_split();
        let mut classes: Vec<usize> = test.iter().map(|(id, _)| *id).collect();
        classes.sort_unstable();
        let mut members: Vec<usize> = test.into_iter().flat_map(|(_, members)| members).collect();
        members.sort_unstable();
        let label = |index: &usize| classes.partition_point(|id| *id < self.cars[*index].class - 1);
        Dataset {
            name: name.to_owned(),
            images: members
                .iter()
                .map(|index| self.cars[*index].path.clone())
                .collect(),
            truth: Truth::Labels {
                images: members.iter().map(label).collect(),
                queries: None,
                class_names: classes.iter().map(|id| self.class_names[*id].clone()).collect(),
            },
            ..Dataset::default()
        }
    }
}
